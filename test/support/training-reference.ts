/** The numbers of ../shared/reference about training, computed in float64. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder } from './models';

export interface TrainingRows {
  input_ids: number[][];
  labels: number[][];
  loss: number;
  grad_norm: number;
  targets: number;
}

export interface TrainingReference {
  batch: TrainingRows;
  step1: { loss: number; grad_norm: number };
  /** Four steps on the batch. */
  steps: { loss: number[]; grad_norm: number[]; loss_after: number };
  accumulation: Omit<TrainingRows, 'input_ids' | 'labels'> & { micro_batches: TrainingRows[] };
  packed: {
    input_ids: number[];
    labels: number[];
    document_lengths: number[];
    loss: number;
    grad_norm: number;
    targets: number;
  };
  noised: TrainingRows;
}

/** The models that have them. */
export const trainingModels = [
  'llama-gqa-untied',
  'llama-mha-tied',
  'mistral-window',
  'qwen2-bias',
  'qwen3-qknorm',
];

/** With a learning rate of 0.001. */
export const referenceOptimizer = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
} as const;

export const readTrainingReference = (model: string): TrainingReference =>
  JSON.parse(readFileSync(join(modelFolder(model), 'training.json'), 'utf8')) as TrainingReference;
