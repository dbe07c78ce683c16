/** Native memory: told to the garbage collector, freed by dispose() and by collection, not leaked by failures. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { tinyShape } from '../support/shapes';
import { device } from './support';

/** Runs code in a process of its own that has gc(), and returns what it prints as JSON. */
function measure(code: string): Record<string, number> {
  const prelude = `
    const native = require('node-gyp-build')(${JSON.stringify(join(__dirname, '..', '..'))});
    const shape = (different) => ({ ...${JSON.stringify(tinyShape())}, ...different });
    const device = ${JSON.stringify(device)};
    const never = () => native.createCancelToken();
    const make = (different) => native.createModel(shape(different), 1, 0.1, 'f32', device, never());
    const settle = async () => {
      for (let turn = 0; turn < 5; ++turn) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
    };
    const rss = () => process.memoryUsage.rss() / 2 ** 20;
  `;
  const result = spawnSync(
    process.execPath,
    ['--expose-gc', '-e', `${prelude} (async () => { ${code} })();`],
    {
      encoding: 'utf8',
    },
  );
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout) as Record<string, number>;
}

// 16 MB of weights.
const large = `{ vocabularySize: 64000, hiddenSize: 64, headDim: 16 }`;

test('models that nobody holds are collected before they pile up: the collector knows their weight', () => {
  const { before, peak } = measure(`
    const before = rss();
    let peak = 0;
    for (let count = 0; count < 30; ++count) {
      await make(${large});
      peak = Math.max(peak, rss());
    }
    console.log(JSON.stringify({ before, peak }));
  `);
  // 30 models have 480 MB, and rise to 640 where the collector is not told.
  expect(peak! - before!).toBeLessThan(400);
});

test('dispose frees the weights at once, also behind a running job', () => {
  const { before, after } = measure(`
    const turn = async () => {
      const model = await make(${large});
      const scored = model.score(Int32Array.of(1, 2, 3), never());
      model.dispose();
      await scored;
    };
    await turn();
    await settle();
    const before = rss();
    for (let count = 0; count < 10; ++count) await turn();
    await settle();
    console.log(JSON.stringify({ before, after: rss() }));
  `);
  expect(after! - before!).toBeLessThan(80);
});

test('200 loads that fail leave nothing behind: no memory, no thread, no open file', () => {
  const { before, after, threads, files } = measure(`
    const fs = require('node:fs');
    const file = process.execPath;
    const entry = (name, begin, end) => ({ name, dtype: 'F32', shape: [64000, 64], file, begin, end });
    const tables = [
      [],
      [entry('model.embed_tokens.weight', 0, 16384000)],
      [entry('model.embed_tokens.weight', 0, 4)],
      [entry('model.embed_tokens.weight', 2 ** 50, 2 ** 50 + 16384000)],
      [{ ...entry('model.embed_tokens.weight', 0, 16384000), file: '/nowhere' }],
    ];
    let failed = 0;
    const fail = async (turn) => {
      await native.loadModel(shape(${large}), tables[turn % 5], 'f32', device, () => {}, never()).catch(() => ++failed);
    };
    for (let turn = 0; turn < 20; ++turn) await fail(turn);
    await settle();
    const count = (folder) => fs.readdirSync(folder).length;
    const [before, threads, files] = [rss(), count('/proc/self/task'), count('/proc/self/fd')];
    for (let turn = 0; turn < 200; ++turn) await fail(turn);
    await settle();
    if (failed !== 220) throw new Error('only ' + failed + ' loads failed');
    console.log(JSON.stringify({ before, after: rss(), threads: count('/proc/self/task') - threads,
      files: count('/proc/self/fd') - files }));
  `);
  expect(after! - before!).toBeLessThan(40);
  expect(threads).toBeLessThanOrEqual(0);
  expect(files).toBeLessThanOrEqual(0);
});

test('1,000 generations that are cancelled or fail leave no memory behind', () => {
  const { before, after } = measure(`
    const request = { prompt: Int32Array.of(1), maxNewTokens: 200, endOfSequence: new Int32Array(), temperature: 0, topK: 0,
      topP: 1, minP: 0, repetitionPenalty: 1, seed: 0, ...native.draftPaths('paper', 0, 5, 10), depth: 5, width: 10,
      retrieval: true, minMatch: 2, noiseSeed: 0 };
    const model = await make({ contextLength: 4096 });
    const turn = async (number) => {
      const token = never();
      const onStep = () => { if (number % 3 === 0) native.cancel(token); if (number % 3 === 1) throw new Error('mine'); };
      const prompt = number % 3 === 2 ? Int32Array.of(-1) : request.prompt;
      await model.generate({ ...request, prompt }, () => {}, onStep, token).catch(() => {});
    };
    for (let number = 0; number < 100; ++number) await turn(number);
    await settle();
    const before = rss();
    for (let number = 0; number < 1000; ++number) await turn(number);
    await settle();
    console.log(JSON.stringify({ before, after: rss() }));
  `);
  expect(after! - before!).toBeLessThan(30);
});
