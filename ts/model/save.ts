/** A model as a folder on disk: whole or not at all. */
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { createFolderAtomically, discard, unwritable } from '../durable';
import { cancellable } from '../native/cancel';
import type { CancelToken, NativeTensorSpec } from '../native/contract';
import { abortSignal, boolean, options, path, validate } from '../validate';
import { writeDescription, writeJson } from './description';
import { configFile, generationConfigFile, tokenizerFiles, weightsFile, weightsIndexFile } from './folder';
import type { ModelInternals } from './model';
import { composeSafetensorsHeader, storedBytes } from './safetensors';

/** How to save. */
export interface SaveOptions {
  /** Replace a folder that holds a model and nothing else. Default: false. */
  overwrite?: boolean | undefined;
  /** Aborts the saving; nothing is left of it. */
  signal?: AbortSignal | undefined;
}

const saveOptions = options({ overwrite: boolean().default(false), signal: abortSignal().optional() });

/** Bytes of weights above which they are cut into several files, as transformers does. */
const largestFile = 5_000_000_000;

/** See {@link Model.save}. */
export async function saveModel(
  internals: ModelInternals,
  folder: string,
  given: SaveOptions,
  fileLimit = largestFile,
): Promise<void> {
  const target = resolve(validate(path(), folder, 'folder'));
  const { overwrite, signal } = validate(saveOptions, given);
  const { module, native, description } = internals;
  const dtype = native.dtype === 'bf16' ? 'BF16' : 'F32';
  const existing = await checkTarget(target, overwrite);
  await cancellable(module, signal, async (token) => {
    const fill = async (partial: string) => {
      await writeDescription(description, partial, dtype);
      await writeWeights(internals, partial, dtype, fileLimit, token);
    };
    if (existing) await replaceFolder(target, fill);
    else await createFolderAtomically(target, fill);
  });
}

/** Whether there is a folder to replace. */
async function checkTarget(target: string, overwrite: boolean): Promise<boolean> {
  let names: string[];
  try {
    names = await readdir(target);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    if (code === 'ENOTDIR') throw refused(`${target} is a file; give the path of a folder`);
    throw unwritable(target, cause);
  }
  const foreign = names.find((name) => !isModelFile(name));
  if (foreign !== undefined) {
    throw refused(`${target} holds "${foreign}", which is no file of a model; choose another folder`);
  }
  if (names.length > 0 && !overwrite) {
    throw refused(`${target} holds a model; choose another folder or pass overwrite: true`);
  }
  return true;
}

function refused(what: string): MakeSomeNoiseError {
  return new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', `folder: ${what}`);
}

function isModelFile(name: string): boolean {
  const known = [configFile, generationConfigFile, weightsFile, weightsIndexFile, ...tokenizerFiles];
  return known.includes(name) || /^model-\d{5}-of-\d{5}\.safetensors$/.test(name);
}

/** Fills a new folder, then lets it take the place of the old one, which comes back if that fails. */
async function replaceFolder(target: string, fill: (partial: string) => Promise<void>): Promise<void> {
  const sibling = (kind: string) => join(dirname(target), `.${kind}-${basename(target)}-${process.pid}`);
  const fresh = sibling('new');
  const old = sibling('old');
  await createFolderAtomically(fresh, fill);
  try {
    await rename(target, old);
    await rename(fresh, target).catch(async (cause: unknown) => {
      await rename(old, target);
      throw cause;
    });
    await rm(old, { recursive: true });
  } catch (cause) {
    await discard(fresh);
    throw unwritable(target, cause);
  }
}

async function writeWeights(
  { native }: ModelInternals,
  folder: string,
  dtype: 'F32' | 'BF16',
  fileLimit: number,
  token: CancelToken,
): Promise<void> {
  const shards = planShards(native.tensorSpecs(), dtype, fileLimit);
  const weightMap: Record<string, string> = {};
  let totalSize = 0;
  for (const [index, shard] of shards.entries()) {
    const file = shards.length === 1 ? weightsFile : shardName(index, shards.length);
    const names = shard.map((spec) => spec.name);
    const header = composeSafetensorsHeader(shard, dtype);
    await native.writeTensors(join(folder, file), header, names, dtype, token);
    for (const spec of shard) {
      weightMap[spec.name] = file;
      totalSize += storedBytes(spec, dtype);
    }
  }
  if (shards.length > 1) {
    const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
    await writeJson(join(folder, weightsIndexFile), index);
  }
}

function shardName(index: number, count: number): string {
  const digits = (value: number) => String(value).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

/** The tensors in files of at most `fileLimit` bytes, in order; a tensor above that is alone in its file. */
export function planShards(
  specs: readonly NativeTensorSpec[],
  dtype: 'F32' | 'BF16',
  fileLimit: number,
): NativeTensorSpec[][] {
  const shards: NativeTensorSpec[][] = [];
  let room = 0;
  for (const spec of specs) {
    const bytes = storedBytes(spec, dtype);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = fileLimit;
    }
    shards.at(-1)!.push(spec);
    room -= bytes;
  }
  return shards;
}
