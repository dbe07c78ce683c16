/** The addon in worker_threads and in processes that end while it works. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { tinyShape } from '../support/shapes';
import { device, endless, endlessShape, request } from './support';

const root = join(__dirname, '..', '..');
const values = JSON.stringify({
  shape: tinyShape(endlessShape),
  device,
  request: { ...request(), prompt: [1, 2, 3], endOfSequence: [], pathOffsets: [], pathColumns: [] },
  endless: { ...endless(), prompt: [1, 2, 3], endOfSequence: [], pathOffsets: [], pathColumns: [] },
});
/** Code before every script: `native`, makeModel(), run(request, onStep) and endlessly(onStep). */
const prelude = `
  const native = require('node-gyp-build')(${JSON.stringify(root)});
  const values = ${values};
  const arrays = (request) => Object.fromEntries(
    Object.entries(request).map(([key, value]) => [key, Array.isArray(value) ? Int32Array.from(value) : value]));
  const makeModel = () => native.createModel(values.shape, 1, 0.3, 'f32', values.device, native.createCancelToken());
  const run = (model, request, onStep, token = native.createCancelToken()) =>
    model.generate(arrays(request), () => {}, onStep, token);
`;

function runProcess(code: string): {
  status: number | null;
  signal: string | null;
  output: string;
  errors: string;
} {
  const result = spawnSync(process.execPath, ['-e', `${prelude} (async () => { ${code} })();`], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status: result.status, signal: result.signal, output: result.stdout, errors: result.stderr };
}

function startWorker(code: string): { worker: Worker; message: Promise<unknown>; exit: Promise<number> } {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads'); ${prelude}
     (async () => { ${code} })();`,
    { eval: true },
  );
  const message = new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const exit = new Promise<number>((resolve) => worker.once('exit', resolve));
  return { worker, message, exit };
}

const tokensOf = `
  const tokens = [];
  await run(await makeModel(), values.request, (step) => tokens.push(...step.tokens));
`;

test('workers load the addon side by side and get the same tokens as the main thread', async () => {
  const main = runProcess(`${tokensOf} console.log(JSON.stringify(tokens));`);
  expect(main).toMatchObject({ status: 0, errors: '' });
  const workers = [0, 1, 2].map(() => startWorker(`${tokensOf} parentPort.postMessage(tokens);`));
  for (const { message, exit } of workers) {
    expect(await message).toEqual(JSON.parse(main.output));
    expect(await exit).toBe(0);
  }
});

test('each environment has its own error class', async () => {
  const { message } = startWorker(`
    class Mine extends Error { constructor(code, message) { super(message); this.code = code; } }
    native.setErrorClass(Mine);
    const model = await makeModel();
    const error = await model.score(Int32Array.of(99, 1), native.createCancelToken()).catch((reason) => reason);
    parentPort.postMessage([error instanceof Mine, error.code]);
  `);
  expect(await message).toEqual([true, 'ERR_INVALID_ARGUMENT']);
});

test.each([
  ['a stream of steps', `await run(await makeModel(), values.endless, started);`],
  [
    'a job that calls nothing back',
    `const model = await makeModel();
     setTimeout(started, 50);
     await model.timePasses(32, 100, 2 ** 30, true, native.createCancelToken());`,
  ],
  [
    'waiting jobs',
    `const model = await makeModel();
     for (let job = 0; job < 20; ++job) run(model, values.endless, started);`,
  ],
])('a worker with %s is terminated in less than a second', async (_name, code) => {
  const { worker, message } = startWorker(`
    let told = false;
    const started = () => { if (!told) parentPort.postMessage('started'); told = true; };
    ${code}
  `);
  expect(await message).toBe('started');
  const begin = performance.now();
  await worker.terminate();
  expect(performance.now() - begin).toBeLessThan(1000);
});

test('a process ends by itself when no job runs, with models alive', () => {
  const result = runProcess(`globalThis.model = await makeModel(); await run(model, values.request, () => {});
    console.log('idle');`);
  expect(result).toEqual({ status: 0, signal: null, output: 'idle\n', errors: '' });
});

test('a process stays alive for a job that nothing else waits for', () => {
  const result = runProcess(`let steps = 0;
    run(await makeModel(), values.request, () => { ++steps; }).then(() => console.log(steps > 0));`);
  expect(result).toEqual({ status: 0, signal: null, output: 'true\n', errors: '' });
});

test('process.exit in the middle of a job, from a callback and from elsewhere, gives its exit code', () => {
  const inside = runProcess(`run(await makeModel(), values.endless, () => process.exit(7));`);
  expect(inside).toEqual({ status: 7, signal: null, output: '', errors: '' });
  const outside = runProcess(
    `run(await makeModel(), values.endless, () => {}); setTimeout(() => process.exit(8), 50);`,
  );
  expect(outside).toEqual({ status: 8, signal: null, output: '', errors: '' });
});

test('an uncaught rejection ends a process as any other would', () => {
  const result = runProcess(`run(await makeModel(), { ...values.request, prompt: [-1] }, () => {});`);
  expect(result).toMatchObject({ status: 1, signal: null });
  expect(result.errors).toContain('ERR_INVALID_ARGUMENT');
});

test('steps reach a callback at more than 2,000 a second, on a busy machine too', () => {
  // The smallest possible model, so that the bridge is what takes the time.
  const result = runProcess(`
    const shape = { ...values.shape, vocabularySize: 4, hiddenSize: 2, intermediateSize: 1, layers: 1, heads: 1, kvHeads: 1, headDim: 2, window: 1 };
    const model = await native.createModel(shape, 1, 0.3, 'f32', values.device, native.createCancelToken());
    const begin = performance.now();
    let steps = 0;
    await run(model, { ...values.request, maxNewTokens: 50000 }, () => { ++steps; });
    console.log(JSON.stringify({ steps, perSecond: steps / (performance.now() - begin) * 1000 }));
  `);
  expect(result).toMatchObject({ status: 0, errors: '' });
  const { steps, perSecond } = JSON.parse(result.output) as { steps: number; perSecond: number };
  expect(steps).toBe(50000);
  expect(perSecond).toBeGreaterThan(2_000);
});
