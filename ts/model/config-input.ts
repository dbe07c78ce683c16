/** A config.json typed by hand: which names it may have and what stands for those that are left out. */
import { z } from 'zod';
import { options } from '../validate';
import { architectureOf } from './config';
import type { Tokenizer } from './tokenizer';

/**
 * The shape of a model in the words of transformers' config.json; a file's content can be passed as it is. Sizes that
 * are left out have transformers' defaults, apart from those noted.
 */
export interface ModelConfigInput {
  /** Default: 'llama'. */
  model_type?: 'llama' | 'mistral' | 'qwen2' | 'qwen3' | undefined;
  architectures?: string[] | undefined;
  /** Number of token ids. Default: the tokenizer's, where there is one. */
  vocab_size?: number | undefined;
  hidden_size: number;
  /** Default: 8/3 of hidden_size, rounded up to a multiple of 32. */
  intermediate_size?: number | undefined;
  num_hidden_layers: number;
  num_attention_heads: number;
  /** A divisor of num_attention_heads. Default: as many. */
  num_key_value_heads?: number | null | undefined;
  /** Even. Default: hidden_size / num_attention_heads. */
  head_dim?: number | null | undefined;
  /** Context length in tokens. Default: 2048. */
  max_position_embeddings?: number | undefined;
  rms_norm_eps?: number | undefined;
  rope_theta?: number | undefined;
  rope_scaling?: Record<string, unknown> | null | undefined;
  rope_parameters?: Record<string, unknown> | null | undefined;
  /** Whether the output layer is the embedding. Default: false. */
  tie_word_embeddings?: boolean | undefined;
  /** Mistral, Qwen. Default: null, none. */
  sliding_window?: number | null | undefined;
  use_sliding_window?: boolean | undefined;
  max_window_layers?: number | undefined;
  layer_types?: string[] | null | undefined;
  hidden_act?: string | undefined;
  attention_bias?: boolean | undefined;
  mlp_bias?: boolean | undefined;
  /** Standard deviation of the weights at the beginning. Default: 0.02. */
  initializer_range?: number | undefined;
  bos_token_id?: number | null | undefined;
  /** Default: the tokenizer's, where there is one. */
  eos_token_id?: number | number[] | null | undefined;
  pad_token_id?: number | null | undefined;
  dtype?: string | null | undefined;
  torch_dtype?: string | null | undefined;
  attention_dropout?: number | undefined;
  pretraining_tp?: number | undefined;
  transformers_version?: string | undefined;
  use_cache?: boolean | undefined;
  quantization_config?: Record<string, unknown> | null | undefined;
  partial_rotary_factor?: number | undefined;
}

/** Checks the names; the values are checked where they are understood. */
export const configSchema = options(
  Object.fromEntries(Object.keys(names()).map((name) => [name, z.unknown().optional()])),
);

/** Held complete by the compiler. */
function names(): Record<keyof ModelConfigInput, true> {
  return {
    model_type: true,
    architectures: true,
    vocab_size: true,
    hidden_size: true,
    intermediate_size: true,
    num_hidden_layers: true,
    num_attention_heads: true,
    num_key_value_heads: true,
    head_dim: true,
    max_position_embeddings: true,
    rms_norm_eps: true,
    rope_theta: true,
    rope_scaling: true,
    rope_parameters: true,
    tie_word_embeddings: true,
    sliding_window: true,
    use_sliding_window: true,
    max_window_layers: true,
    layer_types: true,
    hidden_act: true,
    attention_bias: true,
    mlp_bias: true,
    initializer_range: true,
    bos_token_id: true,
    eos_token_id: true,
    pad_token_id: true,
    dtype: true,
    torch_dtype: true,
    attention_dropout: true,
    pretraining_tp: true,
    transformers_version: true,
    use_cache: true,
    quantization_config: true,
    partial_rotary_factor: true,
  };
}

/** The config.json that `save` writes: what was given, and in words what was left out. */
export function completeConfig(
  given: Record<string, unknown>,
  tokenizer: Tokenizer | undefined,
): Record<string, unknown> {
  const modelType = (given.model_type as string | undefined) ?? 'llama';
  const hiddenSize = given.hidden_size as number;
  const heads = given.num_attention_heads as number;
  const completed = {
    architectures: [architectureOf(modelType) ?? modelType],
    model_type: modelType,
    vocab_size: tokenizer?.vocabularySize,
    bos_token_id: tokenizer?.bosToken ?? null,
    eos_token_id: tokenizer?.eosToken ?? null,
    hidden_act: 'silu',
    intermediate_size: Math.ceil((hiddenSize * 8) / 3 / 32) * 32,
    num_key_value_heads: heads,
    head_dim: Number.isInteger(hiddenSize / heads) ? hiddenSize / heads : undefined,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-6,
    initializer_range: 0.02,
    tie_word_embeddings: false,
    ...(modelType === 'llama' ? { attention_bias: false, mlp_bias: false } : { sliding_window: null }),
    ...(given.rope_parameters === undefined ? { rope_theta: 10000, rope_scaling: null } : {}),
  };
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...completed, ...Object.fromEntries(said) };
}
