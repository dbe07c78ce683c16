/** Native models for tests: of a folder in the Hugging Face format, or random ones of a given shape. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../ts/model/config';
import type { NativeModelShape } from '../../ts/native/contract';
import { tinyShape } from './shapes';
import { tensorTable } from './safetensors';
import { loadTesting, sharedFolder } from './testing';

declare const modelBrand: unique symbol;
export interface TestModel {
  readonly [modelBrand]: true;
}
export interface EngineOptions {
  /** Default: 'cpu'. */
  device?: 'cpu' | 'cuda';
  /** int8: with CUDA alone. */
  dtype?: 'f32' | 'bf16' | 'int8';
  threads?: number;
  instructions?: string;
}

export const referenceModels = [
  'llama-gqa-untied',
  'llama-mha-tied',
  'llama3-rope',
  'llama-linear-rope',
  'mistral-window',
  'qwen2-bias',
  'qwen3-qknorm',
  'llama-bf16-file',
  'llama-f16-sharded',
] as const;

/** The folder of stories260K or of a model of reference/. */
export const modelFolder = (name: string): string =>
  join(sharedFolder, name === 'stories260K' ? 'models' : 'reference', name);

export function folderShape(folder: string): NativeModelShape {
  const json = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  return parseConfig(json, '', 'ERR_MODEL_FORMAT').shape;
}

export function folderModel(folder: string, options: EngineOptions = {}): TestModel {
  return loadTesting().makeModel!({
    shape: folderShape(folder),
    tensors: tensorTable(folder),
    ...options,
  }) as TestModel;
}

/** Weights large enough that logits are far from uniform. */
export function randomModel(
  different: Partial<NativeModelShape>,
  seed: number,
  options: EngineOptions = {},
): TestModel {
  return loadTesting().makeModel!({
    shape: tinyShape(different),
    seed,
    initializerRange: 0.4,
    ...options,
  }) as TestModel;
}
