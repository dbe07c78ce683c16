/** Native models for tests: of a folder in the Hugging Face format, or random ones of a given shape. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeModelShape } from '../../ts/native/contract';
import { tinyShape } from './shapes';
import { tensorTable } from './safetensors';
import { loadTesting, sharedFolder } from './testing';

declare const modelBrand: unique symbol;
export interface TestModel {
  readonly [modelBrand]: true;
}
export interface EngineOptions {
  dtype?: 'f32' | 'bf16';
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

/** The shape of a folder whose config.json is well-formed. */
export function folderShape(folder: string): NativeModelShape {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, never>;
  const field = (name: string, otherwise?: unknown): number => (config[name] ?? otherwise) as number;
  const rope = (config['rope_parameters'] ?? config['rope_scaling'] ?? {}) as Record<string, number | string>;
  const type = config['model_type'] as string;
  const windowed = type === 'mistral' || config['use_sliding_window'] === true;
  return {
    vocabularySize: field('vocab_size'),
    hiddenSize: field('hidden_size'),
    intermediateSize: field('intermediate_size'),
    layers: field('num_hidden_layers'),
    heads: field('num_attention_heads'),
    kvHeads: field('num_key_value_heads'),
    headDim: field('head_dim', field('hidden_size') / field('num_attention_heads')),
    contextLength: field('max_position_embeddings'),
    window: windowed ? field('sliding_window', 0) : 0,
    normEpsilon: field('rms_norm_eps'),
    tiedHead: Boolean(config['tie_word_embeddings']),
    attentionBias: type === 'qwen2',
    queryKeyNorm: type === 'qwen3',
    ropeKind: (rope['rope_type'] ?? rope['type'] ?? 'default') as NativeModelShape['ropeKind'],
    ropeTheta: Number(rope['rope_theta'] ?? field('rope_theta', 10000)),
    ropeFactor: Number(rope['factor'] ?? 1),
    ropeLowFreqFactor: Number(rope['low_freq_factor'] ?? 1),
    ropeHighFreqFactor: Number(rope['high_freq_factor'] ?? 4),
    ropeOriginalLength: Number(rope['original_max_position_embeddings'] ?? 0),
  };
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
