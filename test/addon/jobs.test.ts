/** Jobs of a model: their order, their end by cancelling, by an exception and by dispose(). */
import { MakeSomeNoiseError } from '../../ts/errors';
import type { NativeModel } from '../../ts/native/contract';
import {
  endless,
  endlessShape,
  generateSteps,
  ignore,
  native,
  never,
  rejection,
  request,
  tinyModel,
} from './support';

let model: NativeModel;
beforeEach(async () => {
  model = await tinyModel(endlessShape);
});
afterEach(() => model.dispose());

test('a generation calls back once for the prompt, then for each step in order, then resolves', async () => {
  const events: string[] = [];
  let tokens = 0;
  await model
    .generate(
      request(),
      (milliseconds) => events.push(milliseconds >= 0 ? 'prefill' : 'negative time'),
      (step) => {
        tokens += step.tokens.length;
        events.push(step.finish === '' ? 'step' : step.finish);
      },
      never(),
    )
    .then(() => events.push('settled'));
  expect(events.length).toBeGreaterThan(3);
  expect(events).toEqual(['prefill', ...Array<string>(events.length - 3).fill('step'), 'length', 'settled']);
  expect(tokens).toBe(20);
});

test('every method of decoding gives the same greedy tokens through the addon', async () => {
  const none = { pathOffsets: new Int32Array(), pathColumns: new Int32Array() };
  const texts = await Promise.all(
    [none, native.draftPaths('paper', 0, 5, 10), native.draftPaths('nodes', 9, 5, 10)].map(async (paths) =>
      (await generateSteps(model, paths)).flatMap((step) => [...step.tokens]),
    ),
  );
  expect(texts[0]).toHaveLength(20);
  expect(texts[1]).toEqual(texts[0]);
  expect(texts[2]).toEqual(texts[0]);
});

test('jobs of one model run one after another, in the order in which they were started', async () => {
  const events: string[] = [];
  const run = (name: string): Promise<unknown> =>
    model
      .generate(
        request({ maxNewTokens: 300, pathOffsets: new Int32Array(), pathColumns: new Int32Array() }),
        ignore,
        () => events.push(name),
        never(),
      )
      .then(() => events.push(`${name} settled`));
  await Promise.all([run('a'), run('b'), run('c')]);
  const steps = (name: string): string[] => [...Array<string>(300).fill(name)];
  expect(events.filter((event) => !event.endsWith('settled'))).toEqual([
    ...steps('a'),
    ...steps('b'),
    ...steps('c'),
  ]);
  expect(events.filter((event) => event.endsWith('settled'))).toEqual([
    'a settled',
    'b settled',
    'c settled',
  ]);
});

test('jobs of two models run at the same time', async () => {
  const other = await tinyModel(endlessShape);
  const cancel = native.createCancelToken();
  const first = model.generate(endless(), ignore, ignore, cancel);
  // Would wait for ever behind the endless job if the two shared a queue.
  expect(await generateSteps(other)).not.toHaveLength(0);
  native.cancel(cancel);
  await rejection(first);
  other.dispose();
});

test('cancelling stops a running job within a step, and the model works on', async () => {
  const cancel = native.createCancelToken();
  let steps = 0;
  const error = await rejection(
    model.generate(endless(), ignore, () => (++steps === 10 ? native.cancel(cancel) : undefined), cancel),
  );
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({ code: 'ERR_ABORTED', message: 'the operation was aborted' });
  expect(steps).toBeGreaterThanOrEqual(10);
  expect(await generateSteps(model)).not.toHaveLength(0);
});

test('a token raised before the job begins keeps it from beginning', async () => {
  const cancel = native.createCancelToken();
  native.cancel(cancel);
  const calls = jest.fn();
  const error = await rejection(model.generate(endless(), calls, calls, cancel));
  expect(error).toMatchObject({ code: 'ERR_ABORTED' });
  expect(calls).not.toHaveBeenCalled();
});

test.each([
  ['score', (): Promise<unknown> => model.score(Int32Array.of(1, 2), raised())],
  [
    'denoise',
    (): Promise<unknown> =>
      model.denoise(
        { prefix: Int32Array.of(1), noisy: new Int32Array(), noiseLength: 5, noiseSeed: 0, maxIterations: 0 },
        raised(),
      ),
  ],
  [
    'logits',
    (): Promise<unknown> => model.logits(new Int32Array(), Int32Array.of(1), Int32Array.of(-1), 8, raised()),
  ],
  ['timePasses', (): Promise<unknown> => model.timePasses(1, 0, 1, true, raised())],
])('%s honours a raised token', async (_name, start) => {
  expect(await rejection(start())).toMatchObject({ code: 'ERR_ABORTED' });
});
function raised(): ReturnType<typeof native.createCancelToken> {
  const token = native.createCancelToken();
  native.cancel(token);
  return token;
}

test('an exception in a callback stops the job and is what the promise rejects with', async () => {
  const mine = new Error('from the callback');
  let steps = 0;
  const error = await rejection(
    model.generate(
      endless(),
      ignore,
      () => {
        if (++steps === 3) throw mine;
      },
      never(),
    ),
  );
  expect(error).toBe(mine);
  expect(steps).toBe(3);
  expect(await generateSteps(model)).not.toHaveLength(0);
});

test('a thrown value that is no object comes through as it is', async () => {
  const error = await rejection(
    model.generate(
      endless(),
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'a string';
      },
      ignore,
      never(),
    ),
  );
  expect(error).toBe('a string');
});

test('an error of the engine has its code, its message and our class', async () => {
  const error = await rejection(
    model.generate(request({ prompt: Int32Array.of(24) }), ignore, ignore, never()),
  );
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('24') });
});

test('dispose lets running and waiting jobs end, and refuses later ones', async () => {
  const running = generateSteps(model);
  const waiting = generateSteps(model);
  model.dispose();
  model.dispose();
  expect(await running).not.toHaveLength(0);
  expect(await waiting).not.toHaveLength(0);
  const error = await rejection(generateSteps(model));
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({ code: 'ERR_DISPOSED' });
  expect(() => model.tensorSpecs()).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
  expect(model.parameters).toBeGreaterThan(0);
});

test('dispose from a callback of a running job is fine', async () => {
  const steps: number[] = [];
  await model.generate(
    request(),
    () => model.dispose(),
    (step) => steps.push(step.tokens.length),
    never(),
  );
  expect(steps.reduce((sum, count) => sum + count)).toBe(20);
});

test('a model can be disposed of by `using`', async () => {
  const disposable = await tinyModel();
  disposable[Symbol.dispose]();
  expect(() => disposable.tensorSpecs()).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
});

test('the JS thread stays free while the engine works', async () => {
  const cancel = native.createCancelToken();
  const job = model.timePasses(64, 0, 1 << 30, true, cancel);
  let longest = 0;
  let last = performance.now();
  for (let turn = 0; turn < 100; ++turn) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  native.cancel(cancel);
  await rejection(job);
  expect(longest).toBeLessThan(500);
});
