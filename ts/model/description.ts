/** What a folder says about a model beside its weights: config, generation config, tokenizer. Read and written. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../durable';
import { readConfig, type ModelConfig } from './config';
import { ConfigFields } from './config-fields';
import {
  configFile,
  generationConfigFile,
  listTokenizerFiles,
  readJsonObject,
  type ModelFolder,
} from './folder';
import { loadTokenizer, type Tokenizer } from './tokenizer';

export interface ModelDescription {
  config: ModelConfig;
  /** generation_config.json as it was read. */
  generationConfig: Readonly<Record<string, unknown>> | undefined;
  tokenizer: Tokenizer | undefined;
  /** Where the tokenizer's files lie. */
  tokenizerFolder: string | undefined;
  /** Ids that end a text; may be empty. */
  eosTokens: Int32Array;
}

/** @throws MakeSomeNoiseError ERR_MODEL_FORMAT, ERR_UNSUPPORTED */
export async function readDescription(folder: ModelFolder): Promise<ModelDescription> {
  const config = await readConfig(folder.config);
  const generationConfig =
    folder.generationConfig === undefined ? undefined : await readJsonObject(folder.generationConfig);
  const tokenizer = await loadTokenizer(folder.path);
  const generationEos = new ConfigFields(
    generationConfig ?? {},
    `${folder.generationConfig}: `,
    'ERR_MODEL_FORMAT',
  ).tokenIds('eos_token_id');
  return {
    config,
    generationConfig,
    tokenizer,
    tokenizerFolder: tokenizer && folder.path,
    eosTokens: chooseEosTokens(generationEos, config.eosTokens, tokenizer?.eosToken),
  };
}

/** As in transformers: the generation config, else the config; where both are silent, the tokenizer. */
export function chooseEosTokens(
  generationEos: readonly number[],
  configEos: readonly number[],
  tokenizerEos: number | undefined,
): Int32Array {
  if (generationEos.length > 0) return Int32Array.from(generationEos);
  if (configEos.length > 0) return Int32Array.from(configEos);
  return tokenizerEos === undefined ? new Int32Array() : Int32Array.of(tokenizerEos);
}

/** Writes config.json, generation_config.json and the tokenizer's files into an existing folder, down to the disk. */
export async function writeDescription(
  description: ModelDescription,
  folder: string,
  dtype: 'F32' | 'BF16',
): Promise<void> {
  const { config, generationConfig, tokenizerFolder } = description;
  await writeJson(join(folder, configFile), withDtype(config.json, dtype));
  if (generationConfig !== undefined) await writeJson(join(folder, generationConfigFile), generationConfig);
  if (tokenizerFolder === undefined) return;
  for (const name of await listTokenizerFiles(tokenizerFolder)) {
    await writeDurably(join(folder, name), await readFile(join(tokenizerFolder, name)));
  }
}

/** The config with the dtype of the weights beside it, under the key that it had. */
function withDtype(json: Readonly<Record<string, unknown>>, dtype: 'F32' | 'BF16'): Record<string, unknown> {
  const value = dtype === 'F32' ? 'float32' : 'bfloat16';
  const modern = 'dtype' in json || 'rope_parameters' in json;
  return { ...json, [modern ? 'dtype' : 'torch_dtype']: value };
}

/** A JSON file, pretty-printed, written down to the disk. */
export function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, `${JSON.stringify(value, null, 2)}\n`, { flag: 'wx', flush: true });
}
