/** Model shapes to measure with random weights: times depend on the shape, not on what the weights say. */
import { MakeSomeNoiseError } from '../errors';
import type { ModelConfigInput } from '../model';

const llama = {
  model_type: 'llama',
  hidden_act: 'silu',
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  initializer_range: 0.02,
} as const;

/** In order of size. */
export const shapes: Readonly<Record<string, ModelConfigInput>> = {
  /** stories260K, a model of children's stories. */
  tiny: {
    ...llama,
    vocab_size: 512,
    hidden_size: 64,
    intermediate_size: 172,
    num_hidden_layers: 5,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    max_position_embeddings: 512,
    tie_word_embeddings: true,
  },
  /** What `msn quickstart` trains. */
  quickstart: {
    ...llama,
    vocab_size: 128,
    hidden_size: 128,
    intermediate_size: 384,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 4,
    max_position_embeddings: 256,
    tie_word_embeddings: true,
  },
  /** SmolLM2-135M. */
  '135m': {
    ...llama,
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    max_position_embeddings: 8192,
    rope_theta: 100000,
    tie_word_embeddings: true,
  },
  /** SmolLM2-360M. */
  '360m': {
    ...llama,
    vocab_size: 49152,
    hidden_size: 960,
    intermediate_size: 2560,
    num_hidden_layers: 32,
    num_attention_heads: 15,
    num_key_value_heads: 5,
    max_position_embeddings: 8192,
    rope_theta: 100000,
    tie_word_embeddings: true,
  },
  /** Llama 3.2 1B. */
  '1b': {
    ...llama,
    vocab_size: 128256,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    max_position_embeddings: 8192,
    rope_theta: 500000,
    tie_word_embeddings: true,
  },
  /** SmolLM2-1.7B. */
  '1.7b': {
    ...llama,
    vocab_size: 49152,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 24,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    max_position_embeddings: 8192,
    rope_theta: 130000,
    tie_word_embeddings: true,
  },
};

/** Throws ERR_INVALID_ARGUMENT for a name that is not in {@link shapes}. */
export function shapeNamed(name: string): ModelConfigInput {
  const config = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (config !== undefined) return config;
  throw new MakeSomeNoiseError(
    'ERR_INVALID_ARGUMENT',
    `shape: expected one of ${Object.keys(shapes).join(', ')}, received ${JSON.stringify(name)}`,
  );
}
