/** Which files a model folder has. Every error names the path that it speaks of. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';

export const configFile = 'config.json';
export const generationConfigFile = 'generation_config.json';
export const weightsFile = 'model.safetensors';
export const weightsIndexFile = 'model.safetensors.index.json';
export const tokenizerFile = 'tokenizer.json';
export const tokenizerConfigFile = 'tokenizer_config.json';
export const chatTemplateFile = 'chat_template.jinja';

/** Everything beside the weights that a tokenizer consists of; `save` copies those that are there. */
export const tokenizerFiles = [
  tokenizerFile,
  tokenizerConfigFile,
  chatTemplateFile,
  'chat_template.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
] as const;

/** A model folder on disk, found and listed, nothing read. */
export interface ModelFolder {
  /** Absolute. */
  path: string;
  config: string;
  /** One safetensors file, or the index of several. */
  weights: { kind: 'file' | 'index'; path: string };
  generationConfig: string | undefined;
  tokenizer: string | undefined;
}

/**
 * Lists a model folder.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT when the folder, its config.json or its weights are missing
 */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const path = resolve(folder);
  if (!(await isFolder(path))) {
    throw new MakeSomeNoiseError(
      'ERR_MODEL_FORMAT',
      `${path}: no such folder; give the path of a model folder in the Hugging Face format`,
    );
  }
  const config = join(path, configFile);
  if (!(await isFile(config))) {
    throw new MakeSomeNoiseError(
      'ERR_MODEL_FORMAT',
      `${config}: no such file; a model folder in the Hugging Face format has one`,
    );
  }
  return {
    path,
    config,
    weights: await findWeights(path),
    generationConfig: await fileOrNothing(path, generationConfigFile),
    tokenizer: await fileOrNothing(path, tokenizerFile),
  };
}

async function findWeights(path: string): Promise<ModelFolder['weights']> {
  const single = await fileOrNothing(path, weightsFile);
  if (single !== undefined) return { kind: 'file', path: single };
  const index = await fileOrNothing(path, weightsIndexFile);
  if (index !== undefined) return { kind: 'index', path: index };
  const pickled = await fileOrNothing(path, 'pytorch_model.bin');
  throw new MakeSomeNoiseError(
    'ERR_MODEL_FORMAT',
    pickled === undefined
      ? `${path}: no weights; expected ${weightsFile} or ${weightsIndexFile}`
      : `${pickled}: only safetensors are read; save the model again with transformers' save_pretrained`,
  );
}

/** The tokenizer's files that the folder has, by name. */
export async function listTokenizerFiles(folder: string): Promise<string[]> {
  const found = await Promise.all(tokenizerFiles.map((name) => fileOrNothing(folder, name)));
  return tokenizerFiles.filter((_, index) => found[index] !== undefined);
}

/** The path of a file in the folder, when it is there. */
export async function fileOrNothing(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  return (await isFile(path)) ? path : undefined;
}

/**
 * Reads a JSON file that holds an object.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT when it cannot be read or is something else
 */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const content = await readText(path);
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${path}: not valid JSON (${reason})`, { cause });
  }
  if (!isObject(value)) {
    throw new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${path}: expected a JSON object`);
  }
  return value;
}

/** @throws MakeSomeNoiseError ERR_MODEL_FORMAT when it cannot be read */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** The error for a file that the system would not give. */
export function unreadable(path: string, cause: unknown): MakeSomeNoiseError {
  const reason = (cause as Error).message;
  return new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${path}: cannot be read (${reason})`, { cause });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
}
