import { setTimeout as delay } from 'node:timers/promises';
import { RunControl } from '../../ts/train/control';
import { EventLog } from '../../ts/event-log';
import type { TrainingEvent, TrainingResult } from '../../ts/train/events';
import { TrainingRun } from '../../ts/train/run';

const result = { model: 'out', steps: 3 } as TrainingResult;
const log = (message: string): TrainingEvent => ({ type: 'log', level: 'info', message });

async function messages(run: AsyncIterable<TrainingEvent>): Promise<string[]> {
  const seen: string[] = [];
  for await (const event of run) if (event.type === 'log') seen.push(event.message);
  return seen;
}

/** A run of three steps of 5 ms that asks its control between them. */
function threeSteps(
  control: RunControl,
  save: () => Promise<string> = () => Promise.resolve('checkpoint'),
): TrainingRun {
  return new TrainingRun(control, async (emit) => {
    for (let step = 0; step < 3; step++) {
      await control.betweenSteps(save);
      await delay(5);
      emit(log(`step ${step}`));
    }
    return result;
  });
}

test('is a promise and an iterable; every listener gets everything, whenever it comes', async () => {
  const run = threeSteps(new RunControl(undefined));
  const early = messages(run);
  expect(await run).toBe(result);
  const all = ['step 0', 'step 1', 'step 2'];
  expect(await early).toEqual(all);
  expect(await messages(run)).toEqual(all);
});

test('goes on when a listener leaves', async () => {
  const run = threeSteps(new RunControl(undefined));
  for await (const event of run) {
    expect(event).toEqual(log('step 0'));
    break;
  }
  expect((await run).steps).toBe(3);
  expect(await messages(run)).toHaveLength(3);
});

test('an error reaches the listener after the events before it, and who waits', async () => {
  const failing = (): TrainingRun =>
    new TrainingRun(new RunControl(undefined), (emit) => {
      emit(log('before'));
      return Promise.reject(new Error('broken'));
    });
  const listened = failing();
  const seen: TrainingEvent[] = [];
  await expect(
    (async () => {
      for await (const event of listened) seen.push(event);
    })(),
  ).rejects.toThrow('broken');
  expect(seen).toEqual([log('before')]);
  await expect(failing()).rejects.toThrow('broken');
  expect(await failing().catch((error: unknown) => (error as Error).message)).toBe('broken');
});

test('pause holds the run between steps, resume lets it go on', async () => {
  const run = threeSteps(new RunControl(undefined));
  const seen: string[] = [];
  void (async () => {
    for await (const event of run) if (event.type === 'log') seen.push(event.message);
  })();
  await delay(2);
  await run.pause();
  await run.pause();
  const held = seen.length;
  expect(held).toBeLessThan(3);
  await delay(30);
  expect(seen).toHaveLength(held);
  run.resume();
  await run;
  await run.pause();
});

test('save is answered between steps, also while paused, once for all who ask', async () => {
  let written = 0;
  const run = threeSteps(new RunControl(undefined), async () => {
    await delay(5);
    return `checkpoint ${++written}`;
  });
  await run.pause();
  expect(await Promise.all([run.save(), run.save()])).toEqual(['checkpoint 1', 'checkpoint 1']);
  expect(await run.save()).toBe('checkpoint 2');
  run.resume();
  await run;
  expect(await run.save()).toBe('out');
});

test('a save that fails tells who asked and lets the run go on', async () => {
  const run = threeSteps(new RunControl(undefined), () => Promise.reject(new Error('disk full')));
  await expect(run.save()).rejects.toThrow('disk full');
  expect((await run).steps).toBe(3);
});

test('an abort ends the run between steps, also while paused', async () => {
  const controller = new AbortController();
  const run = threeSteps(new RunControl(controller.signal));
  await run.pause();
  controller.abort('enough');
  await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
  await expect(run.save()).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('a save asked for before the abort is still answered', async () => {
  const controller = new AbortController();
  const run = threeSteps(new RunControl(controller.signal));
  expect(await run.save()).toBe('checkpoint');
  controller.abort();
  await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('an event log without listeners keeps what it was told', async () => {
  const events = new EventLog<number>();
  events.add(1);
  events.add(2);
  events.end();
  const seen: number[] = [];
  for await (const event of events) seen.push(event);
  expect(seen).toEqual([1, 2]);
});
