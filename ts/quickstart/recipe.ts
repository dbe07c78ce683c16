/** Sizes and settings of the quickstart. */
import type { ModelConfigInput } from '../index';
import { END_TOKEN, VOCABULARY_SIZE } from './tokenizer';

export interface Recipe {
  /** Examples. */
  train: number;
  /** Prompts to be answered by every model with every method. */
  heldOut: number;
  model: ModelConfigInput;
  /** Examples of an optimizer step. */
  batchSize: number;
  base: Phase;
  /** Both fine-tunings, plain and noisy. */
  fineTuning: Phase;
  noise: { length: number; segments: number };
}

export interface Phase {
  steps: number;
  learningRate: number;
}

const CONTEXT_LENGTH = 256;

/** What `msn quickstart` does: a model of 0.87 million parameters. */
export const FULL_RECIPE: Recipe = {
  train: 8000,
  heldOut: 200,
  model: modelConfig({ hidden: 128, inner: 384, layers: 4, heads: 4 }),
  batchSize: 16,
  base: { steps: 1100, learningRate: 2e-3 },
  fineTuning: { steps: 700, learningRate: 1e-3 },
  noise: { length: 5, segments: 1 },
};

/** Every part of it in seconds, on a model too small to learn anything. */
export const QUICK_RECIPE: Recipe = {
  train: 64,
  heldOut: 8,
  model: modelConfig({ hidden: 32, inner: 64, layers: 2, heads: 2 }),
  batchSize: 8,
  base: { steps: 12, learningRate: 2e-3 },
  fineTuning: { steps: 6, learningRate: 1e-3 },
  noise: { length: 5, segments: 1 },
};

function modelConfig(sizes: {
  hidden: number;
  inner: number;
  layers: number;
  heads: number;
}): ModelConfigInput {
  return {
    model_type: 'llama',
    vocab_size: VOCABULARY_SIZE,
    hidden_size: sizes.hidden,
    intermediate_size: sizes.inner,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    max_position_embeddings: CONTEXT_LENGTH,
    tie_word_embeddings: true,
    initializer_range: 0.02,
    eos_token_id: END_TOKEN,
  };
}

export const contextLengthOf = (recipe: Recipe): number =>
  recipe.model.max_position_embeddings ?? CONTEXT_LENGTH;
