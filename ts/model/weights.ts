/** The table of a model's tensors, from one safetensors file or from an index of several. */
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import type { NativeTensorEntry } from '../native/contract';
import { isObject, readJsonObject, type ModelFolder } from './folder';
import { readSafetensorsHeader, type StoredTensor } from './safetensors';

const weightDtypes = ['F32', 'F16', 'BF16'] as const;
export type WeightDtype = (typeof weightDtypes)[number];

/** A row of the table, of a dtype that weights can have. */
export type WeightEntry = NativeTensorEntry & { dtype: WeightDtype };

/**
 * Reads the headers of all weight files of a folder.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT for a broken file or index, ERR_UNSUPPORTED for weights of another
 *   dtype than F32, F16 and BF16
 */
export async function readWeights(weights: ModelFolder['weights']): Promise<WeightEntry[]> {
  const tensors =
    weights.kind === 'file' ? await readSafetensorsHeader(weights.path) : await readShards(weights.path);
  return tensors.filter((tensor) => !isLeftover(tensor.name)).map(asWeight);
}

/** Buffers that old checkpoints carry and nobody reads. */
function isLeftover(name: string): boolean {
  return (
    name.endsWith('.rotary_emb.inv_freq') || name.endsWith('.masked_bias') || name.endsWith('.attn.bias')
  );
}

function asWeight(tensor: StoredTensor): WeightEntry {
  const dtype = weightDtypes.find((name) => name === tensor.dtype);
  if (dtype !== undefined) return { ...tensor, dtype };
  throw new MakeSomeNoiseError(
    'ERR_UNSUPPORTED',
    `${tensor.file}: tensor ${JSON.stringify(tensor.name)} is ${tensor.dtype}; ` +
      `weights are read as ${weightDtypes.join(', ')}`,
  );
}

async function readShards(indexPath: string): Promise<StoredTensor[]> {
  const files = await readWeightMap(indexPath);
  const tensors: StoredTensor[] = [];
  for (const [file, names] of files) {
    const stored = new Map((await readShard(indexPath, file)).map((tensor) => [tensor.name, tensor]));
    for (const name of names) {
      const tensor = stored.get(name);
      if (tensor === undefined) {
        throw malformed(
          indexPath,
          `weight_map puts tensor ${JSON.stringify(name)} into ${file}, which lacks it`,
        );
      }
      tensors.push(tensor);
    }
  }
  return tensors;
}

/** The files of the index, each with the names of its tensors. */
async function readWeightMap(indexPath: string): Promise<Map<string, string[]>> {
  const { weight_map: weightMap } = await readJsonObject(indexPath);
  if (!isObject(weightMap))
    throw malformed(indexPath, 'weight_map: expected an object of tensor names and files');
  const files = new Map<string, string[]>();
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== 'string' || file === '' || !staysInside(dirname(indexPath), file)) {
      throw malformed(
        indexPath,
        `weight_map.${name}: expected a file inside the model's folder, received ${JSON.stringify(file)}`,
      );
    }
    const names = files.get(file);
    if (names === undefined) files.set(file, [name]);
    else names.push(name);
  }
  return files;
}

async function readShard(indexPath: string, file: string): Promise<StoredTensor[]> {
  try {
    return await readSafetensorsHeader(resolve(dirname(indexPath), file));
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code !== 'ENOENT') throw error;
    throw malformed(indexPath, `the folder lacks ${file}; download the model again, all files of it`);
  }
}

function staysInside(folder: string, file: string): boolean {
  const path = relative(folder, resolve(folder, file));
  return path !== '' && !path.startsWith('..') && !isAbsolute(path) && !file.includes('\0');
}

function malformed(indexPath: string, what: string): MakeSomeNoiseError {
  return new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${indexPath}: ${what}`);
}
