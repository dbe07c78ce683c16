/** Runs sessions with the fake native module on a small file of token rows. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunControl } from '../../ts/train/control';
import type { TrainingEvent } from '../../ts/train/events';
import { checkTogether, trainingOptions } from '../../ts/train/options';
import { TrainingRun } from '../../ts/train/run';
import { runSession } from '../../ts/train/session';
import type { TrainingSource } from '../../ts/train/source';
import { options, validate } from '../../ts/validate';
import { fakeNative, fakeSource, type FakeBehaviour, type FakeTrainer } from './fake-native';

/** Ten rows of 4 to 13 tokens. */
export function writeRows(folder: string, name = 'rows.jsonl', first = 3): string {
  const file = join(folder, name);
  const rows = Array.from({ length: 10 }, (_, row) => ({
    input_ids: Array.from({ length: 4 + row }, (_, at) => first + ((row * 7 + at) % 25)),
  }));
  writeFileSync(file, rows.map((row) => JSON.stringify(row) + '\n').join(''));
  return file;
}

export interface Fake {
  behaviour?: FakeBehaviour;
  source?: TrainingSource;
  trainers?: FakeTrainer[];
}

/** As `train`, on fakes; 20 steps of two rows, checkpoints every five. */
export function fakeTrain(given: object, { behaviour, source, trainers }: Fake = {}): TrainingRun {
  const checked = validate(options(trainingOptions), {
    steps: 20,
    batchSize: 2,
    packing: false,
    sequenceLength: 16,
    learningRate: 0.01,
    saveEvery: 5,
    ...given,
  });
  checkTogether(checked);
  const control = new RunControl(checked.signal);
  const native = fakeNative(behaviour, trainers);
  const cancel = native.createCancelToken();
  checked.signal?.addEventListener('abort', () => native.cancel(cancel));
  return new TrainingRun(control, (emit) =>
    runSession({
      options: checked,
      modelName: 'fake',
      source: source ?? fakeSource(),
      native,
      control,
      cancel,
      emit,
    }),
  );
}

export async function eventsOf(run: TrainingRun): Promise<TrainingEvent[]> {
  const events: TrainingEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

export const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
