/** The options of `train`, checked once, defaults filled in. */
import { z } from 'zod';
import { FORMAT_NAMES, type DataFormat } from '../data/formats';
import { MakeSomeNoiseError } from '../errors';
import { deviceFields, type DeviceOptions } from '../model/device-options';
import type { NativeNoiseOptions } from '../native/contract';
import * as check from '../validate';
import { SCHEDULES, type ScheduleName } from './schedule';

/** Noise in the inputs of training ("Make Some Noise", arXiv 2406.17404); the labels stay the original tokens. */
export interface NoiseOptions {
  /** 'ahead' (the paper's): random tokens out of those before; 'uniform': out of the vocabulary. Default 'ahead'. */
  kind?: 'ahead' | 'uniform';
  /** Tokens of a noise segment, 1 to 64. Default 5. */
  length?: number;
  /** Segments of a response, 1 to 1024. More give more tokens per step and cost accuracy. Default 1. */
  segments?: number;
  /** Default 0. */
  seed?: number;
}

/** AdamW; decay applies to matrices only. */
export interface OptimizerOptions {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Default 0. */
  weightDecay?: number;
  /**
   * What the two moments of every weight are kept in. '8bit' takes a quarter of their memory, 6 bytes a weight less:
   * codes with a scale for every 256 of them (arXiv 2110.02861). Default 'f32'.
   */
  moments?: 'f32' | '8bit';
}

/** Everything of {@link TrainOptions} that does not depend on how a model object looks. */
export interface TrainingOptions extends DeviceOptions {
  /** One data file or several (.jsonl, .ndjson, .json, .parquet), read in order. */
  data: string | readonly string[];
  /** Files to evaluate on. Default: none, or a part of `data` when `evalFraction` is given. */
  evalData?: string | readonly string[];
  /** Part of `data` that is held out for evaluation, above 0 and below 1, drawn with `seed`. */
  evalFraction?: number;
  /** How rows are read; see {@link DataFormat}. Default 'auto'. */
  format?: DataFormat;
  /** Rows of more than `sequenceLength` tokens: left out and counted in the report, or an error. Default 'skip'. */
  overlong?: 'skip' | 'error';
  /** Folder for the trained model, its checkpoints and the report; made when it is missing. */
  output: string;
  /**
   * What is computed in; the weights that are updated, their gradients and moments are f32 always. 'auto' (default) is
   * what the device trains in: 'f32' on the CPU, 'bf16' on CUDA. Another one is ERR_UNSUPPORTED.
   */
  dtype?: 'auto' | 'f32' | 'bf16';
  /** Default the paper's: 5 tokens 'ahead', 1 segment. `false`: plain fine-tuning. */
  noise?: NoiseOptions | false;
  /** Passes over the data, also a part of one (0.5). Default 3. Not together with `steps`. */
  epochs?: number;
  /** Optimizer steps, instead of `epochs`. */
  steps?: number;
  /** Rows of a micro-batch: packed rows, or documents without packing. Default 8. */
  batchSize?: number;
  /** Micro-batches of an optimizer step; the loss is normalised over all their tokens. Default 1. */
  gradientAccumulation?: number;
  /**
   * Keep only each layer's input for the backward pass and compute the rest again: the activations take the memory of
   * about one layer, a step takes about a third more time, and every number stays the same. Default false.
   */
  gradientCheckpointing?: boolean;
  /** Longest row in tokens. Default 1024, or the model's context length where that is less. */
  sequenceLength?: number;
  /** Fill rows of `sequenceLength` tokens with several documents, with no attention across. Default true. */
  packing?: boolean;
  /** Order of an epoch by (seed, epoch). Default true; false: the order of the data. */
  shuffle?: boolean;
  /** Highest learning rate. Default 2e-5. */
  learningRate?: number;
  /** Behind the warm-up; see {@link learningRateAt}. Default 'cosine'. */
  schedule?: ScheduleName;
  /** Part of the steps in which the rate rises linearly from 0. Default 0.03. */
  warmupRatio?: number;
  /** Part of `learningRate` that the schedule ends at. Default 0. */
  finalLearningRateRatio?: number;
  optimizer?: OptimizerOptions;
  /** Gradient norm to clip at; 0: no clipping. Default 1. */
  clipNorm?: number;
  /** Of the order of epochs and of the held-out rows. Default 0. */
  seed?: number;
  /** Optimizer steps between evaluations, of which there is one behind the last step too. Default 200. */
  evalEvery?: number;
  /** Rows of the evaluation data from which text is generated to measure tokens per step; 0: none. Default 8. */
  evalPrompts?: number;
  /** New tokens of each of these. Default 64. */
  evalNewTokens?: number;
  /** Optimizer steps between checkpoints, of which there is one behind the last step too; 0: none. Default 200. */
  saveEvery?: number;
  /** Checkpoints that are kept. Default 2. */
  keepLast?: number;
  /**
   * 'auto': go on from the last checkpoint in `output`, or begin when there is none. A path: from this checkpoint.
   * false: begin, and remove the checkpoints in `output`. Default 'auto'.
   */
  resume?: 'auto' | false | (string & {});
  /** Stops the run within a step: it rejects with ERR_ABORTED, the last checkpoint stays. */
  signal?: AbortSignal;
}

const files = () =>
  z
    .custom<string | string[]>(
      (value) => isFileName(value) || (Array.isArray(value) && value.length > 0 && value.every(isFileName)),
      { error: 'a path, or an array of at least one path' },
    )
    .transform((value) => (typeof value === 'string' ? [value] : value));

function isFileName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

const formatNames = FORMAT_NAMES.map((name) => `'${name}'`).join(', ');
const format = () =>
  check.either(`one of ${formatNames} or { prompt: column, completion: column }`, [
    check.oneOf(FORMAT_NAMES),
    check.options({
      prompt: check.text('the name of a column'),
      completion: check.text('the name of a column'),
    }),
  ] as const);

const noise = check.options({
  kind: check.oneOf(['ahead', 'uniform']).default('ahead'),
  length: check.integer(1, 64).default(5),
  segments: check.integer(1, 1024).default(1),
  seed: check.seed().default(0),
});

const optimizer = check.options({
  beta1: momentum().default(0.9),
  beta2: momentum().default(0.999),
  epsilon: check.numberAbove(0, 1).default(1e-8),
  weightDecay: check.number(0, 1).default(0),
  moments: check.oneOf(['f32', '8bit']).default('f32'),
});

function momentum() {
  return check.expected<number>(
    'a number of at least 0 and below 1',
    (value) => typeof value === 'number' && value >= 0 && value < 1,
  );
}

/** The schema's entries; `train` puts the model in front. */
export const trainingOptions = {
  data: files(),
  evalData: files().optional(),
  evalFraction: check
    .expected<number>(
      'a number above 0 and below 1',
      (value) => typeof value === 'number' && value > 0 && value < 1,
    )
    .optional(),
  format: format().default('auto'),
  overlong: check.oneOf(['skip', 'error']).default('skip'),
  output: check.path(),
  dtype: check.oneOf(['auto', 'f32', 'bf16']).default('auto'),
  ...deviceFields,
  noise: check.either('false or an object', [check.exactly(false), noise] as const).prefault({}),
  epochs: check.numberAbove(0, 1e6).optional(),
  steps: check.integer(1).optional(),
  batchSize: check.integer(1, 65536).default(8),
  gradientAccumulation: check.integer(1, 65536).default(1),
  gradientCheckpointing: check.boolean().default(false),
  sequenceLength: check.integer(2).optional(),
  packing: check.boolean().default(true),
  shuffle: check.boolean().default(true),
  learningRate: check.number(0, 10).default(2e-5),
  schedule: check.oneOf(SCHEDULES).default('cosine'),
  warmupRatio: check.number(0, 1).default(0.03),
  finalLearningRateRatio: check.number(0, 1).default(0),
  optimizer: optimizer.prefault({}),
  clipNorm: check.number(0).default(1),
  seed: check.seed().default(0),
  evalEvery: check.integer(1).default(200),
  evalPrompts: check.integer(0, 10_000).default(8),
  evalNewTokens: check.integer(1, 65536).default(64),
  saveEvery: check.integer(0).default(200),
  keepLast: check.integer(1).default(2),
  resume: check
    .either("'auto', false or the path of a checkpoint", [check.exactly(false), check.path()] as const)
    .default('auto'),
  signal: check.abortSignal().optional(),
};

/** Options with their defaults. */
export type CheckedOptions = z.output<ReturnType<typeof check.options<typeof trainingOptions>>>;

/** Rules between options. */
export function checkTogether(options: CheckedOptions): void {
  const refuse = (message: string): never => {
    throw new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', message);
  };
  if (options.epochs !== undefined && options.steps !== undefined)
    refuse('steps: give either epochs or steps, not both');
  if (options.evalData !== undefined && options.evalFraction !== undefined) {
    refuse('evalFraction: give either evalData or evalFraction, not both');
  }
}

/** What the native side takes for noise. */
export function nativeNoise(noise: CheckedOptions['noise']): NativeNoiseOptions {
  return noise === false
    ? { enabled: false, kind: 'ahead', length: 5, segments: 1, seed: 0 }
    : { enabled: true, ...noise };
}
