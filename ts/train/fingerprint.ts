/** What decides the bits of a run: a checkpoint goes on only under the same. */
import type { BatchOptions } from '../data/batches';
import { MakeSomeNoiseError } from '../errors';
import type { NativeModelShape, NativeNoiseOptions, NativeOptimizerOptions } from '../native/contract';
import type { Schedule } from './schedule';

export interface FingerprintParts {
  shape: NativeModelShape;
  /** Hash of the tokenised training data. */
  data: string;
  batches: BatchOptions;
  noise: NativeNoiseOptions;
  optimizer: NativeOptimizerOptions;
  schedule: Schedule;
}

/** Flat, in JSON, so that it can be told what differs. */
export type Fingerprint = Record<string, string | number | boolean>;

export function fingerprintOf({
  shape,
  data,
  batches,
  noise,
  optimizer,
  schedule,
}: FingerprintParts): Fingerprint {
  const { seed, ...others } = batches;
  const { moments, ...numbers } = optimizer;
  return {
    data,
    ...prefixed('model', shape),
    ...others,
    // Without shuffling the order needs no seed.
    ...(batches.shuffle && { seed }),
    ...(noise.enabled ? prefixed('noise', { ...noise }) : { noise: false }),
    ...prefixed('optimizer', { ...numbers, ...(moments !== 'f32' && { moments }) }),
    schedule: schedule.name,
    learningRate: schedule.learningRate,
    warmupSteps: schedule.warmupSteps,
    // A constant rate does not know where the run ends: such a run may be made longer.
    ...(schedule.name !== 'constant' && {
      totalSteps: schedule.totalSteps,
      finalLearningRateRatio: schedule.finalRatio,
    }),
  };
}

function prefixed(prefix: string, values: object): Fingerprint {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value as string | number | boolean]),
  );
}

/** @throws MakeSomeNoiseError ERR_CHECKPOINT naming what the checkpoint was made with and what is given now. */
export function checkFingerprint(checkpoint: string, then: Fingerprint, now: Fingerprint): void {
  const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])];
  const differences = keys.filter((key) => then[key] !== now[key]);
  if (differences.length === 0) return;
  const shown = differences.map((key) =>
    key === 'data'
      ? 'the training data'
      : `${key} (${shownValue(then[key])} then, ${shownValue(now[key])} now)`,
  );
  throw new MakeSomeNoiseError(
    'ERR_CHECKPOINT',
    `${checkpoint}: was made with other settings: ${shown.join(', ')}. ` +
      'Give the same ones to go on, choose another output folder, or begin anew with resume: false',
  );
}

function shownValue(value: string | number | boolean | undefined): string {
  return value === undefined ? 'none' : String(value);
}
