/** Checkpoints: a model folder and, beside its files, what a run needs to go on as if it had never stopped. */
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { composeSafetensorsHeader, readSafetensorsHeader } from '../model/safetensors';
import type { CancelToken, NativeTensorEntry, NativeTrainer, TrainingTensors } from '../native/contract';
import { createFolderAtomically, removeFolderAtomically, writeDurably } from '../durable';
import type { Fingerprint } from './fingerprint';
import type { RunHistory } from './report';
import type { TrainingSource } from './source';

/** Format of trainer-state.json; another number is not read. */
const STATE_VERSION = 1;
const STATE_FILE = 'trainer-state.json';
const WEIGHTS_FILE = 'model.safetensors';
/** The f32 weights, where the model's own file holds a shorter dtype. */
const MASTER_FILE = 'master-weights.safetensors';
const FIRST_MOMENTS_FILE = 'first-moments.safetensors';
const SECOND_MOMENTS_FILE = 'second-moments.safetensors';

/** Content of trainer-state.json. */
export interface TrainerState {
  version: typeof STATE_VERSION;
  /** Optimizer steps done. */
  step: number;
  fingerprint: Fingerprint;
  /** What has been measured so far. */
  history: RunHistory;
}

/** A checkpoint on disk, its state read. */
export interface Checkpoint {
  path: string;
  state: TrainerState;
}

export const checkpointPath = (output: string, step: number): string => join(output, `checkpoint-${step}`);

/**
 * Writes `output/checkpoint-<step>` and returns its path. It appears whole or not at all; when it is there already,
 * it is the same (a run is a function of what its fingerprint holds) and stays.
 * @throws MakeSomeNoiseError ERR_CHECKPOINT, ERR_ABORTED; nothing half-written is left
 */
export async function writeCheckpoint(
  output: string,
  state: Omit<TrainerState, 'version'>,
  trainer: NativeTrainer,
  source: TrainingSource,
  cancel: CancelToken,
): Promise<string> {
  const path = checkpointPath(output, state.step);
  if ((await checkpointSteps(output)).includes(state.step)) return path;
  await createFolderAtomically(path, async (folder) => {
    await writeModelFiles(folder, trainer, source, cancel);
    if (source.storedDtype !== 'F32') {
      await writeTensors(trainer, 'weights', join(folder, MASTER_FILE), 'F32', cancel);
    }
    await writeTensors(trainer, 'firstMoments', join(folder, FIRST_MOMENTS_FILE), 'F32', cancel);
    await writeTensors(trainer, 'secondMoments', join(folder, SECOND_MOMENTS_FILE), 'F32', cancel);
    const content: TrainerState = { version: STATE_VERSION, ...state };
    await writeDurably(join(folder, STATE_FILE), JSON.stringify(content));
  });
  return path;
}

/** The model folder proper: what transformers and `loadModel` read. */
export async function writeModelFiles(
  folder: string,
  trainer: NativeTrainer,
  source: TrainingSource,
  cancel: CancelToken,
): Promise<void> {
  await source.writeFiles(folder);
  await writeTensors(trainer, 'weights', join(folder, WEIGHTS_FILE), source.storedDtype, cancel);
}

function writeTensors(
  trainer: NativeTrainer,
  which: TrainingTensors,
  path: string,
  dtype: 'F32' | 'BF16',
  cancel: CancelToken,
): Promise<void> {
  const specs = trainer.tensorSpecs();
  const header = composeSafetensorsHeader(specs, dtype);
  return trainer.writeTensors(
    which,
    path,
    header,
    specs.map(({ name }) => name),
    dtype,
    cancel,
  );
}

/** Steps of the checkpoints in a folder, ascending; none when the folder is missing. */
export async function checkpointSteps(output: string): Promise<number[]> {
  const names = await readdir(output).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    throw new MakeSomeNoiseError('ERR_CHECKPOINT', `${output}: cannot be read: ${message}`, { cause });
  });
  return names
    .flatMap((name) => /^checkpoint-(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Removes all checkpoints but the `keepLast` latest. */
export async function pruneCheckpoints(output: string, keepLast: number): Promise<void> {
  const steps = await checkpointSteps(output);
  for (const step of steps.slice(0, Math.max(0, steps.length - keepLast))) {
    await removeFolderAtomically(checkpointPath(output, step));
  }
}

/** The latest checkpoint in a folder, undefined when there is none. */
export async function latestCheckpoint(output: string): Promise<Checkpoint | undefined> {
  const step = (await checkpointSteps(output)).at(-1);
  return step === undefined ? undefined : readCheckpoint(checkpointPath(output, step));
}

/** @throws MakeSomeNoiseError ERR_CHECKPOINT when the path is no checkpoint or cannot be read. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const file = join(path, STATE_FILE);
  const refuse = (what: string, cause?: unknown): never => {
    throw new MakeSomeNoiseError(
      'ERR_CHECKPOINT',
      `${file}: ${what}; name a folder checkpoint-N of a training run, or begin anew with resume: false`,
      { cause },
    );
  };
  const text = await readFile(file, 'utf8').catch((cause: unknown) =>
    refuse(`cannot be read: ${(cause as Error).message}`, cause),
  );
  let state: unknown;
  try {
    state = JSON.parse(text);
  } catch (cause) {
    refuse(`is not valid JSON: ${(cause as Error).message}`, cause);
  }
  if (!isTrainerState(state)) refuse('does not hold the state of a training run');
  return { path: resolve(path), state: state as TrainerState };
}

function isTrainerState(value: unknown): value is TrainerState {
  if (typeof value !== 'object' || value === null) return false;
  const { version, step, fingerprint, history } = value as Partial<TrainerState>;
  return (
    version === STATE_VERSION &&
    Number.isSafeInteger(step) &&
    typeof fingerprint === 'object' &&
    typeof history === 'object'
  );
}

/** Table of the f32 weights of a checkpoint, for the trainer to begin with. */
export async function checkpointWeights(path: string): Promise<NativeTensorEntry[]> {
  const names = await readdir(path);
  return tensorTable(join(path, names.includes(MASTER_FILE) ? MASTER_FILE : WEIGHTS_FILE));
}

/** Puts the optimizer of a trainer that begins with the checkpoint's weights where it was. */
export async function restoreOptimizer(
  { path, state }: Checkpoint,
  trainer: NativeTrainer,
  cancel: CancelToken,
): Promise<void> {
  await trainer.restore('firstMoments', await tensorTable(join(path, FIRST_MOMENTS_FILE)), cancel);
  await trainer.restore('secondMoments', await tensorTable(join(path, SECOND_MOMENTS_FILE)), cancel);
  trainer.stepsDone = state.step;
}

async function tensorTable(file: string): Promise<NativeTensorEntry[]> {
  const tensors = await readSafetensorsHeader(file).catch((cause: unknown) => {
    throw new MakeSomeNoiseError('ERR_CHECKPOINT', `the checkpoint is damaged: ${(cause as Error).message}`, {
      cause,
    });
  });
  return tensors.map((tensor) => {
    if (tensor.dtype === 'F32') return { ...tensor, dtype: tensor.dtype };
    throw new MakeSomeNoiseError(
      'ERR_CHECKPOINT',
      `${file}: tensor ${JSON.stringify(tensor.name)} is ${tensor.dtype}; a checkpoint holds F32`,
    );
  });
}
