import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readReport } from '../../ts/bench/report';
import { runBench } from '../../ts/bench/run';
import { shapes } from '../../ts/bench/shapes';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'msn-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const small = {
  repeats: 1,
  promptTokens: 8,
  newTokens: 4,
  nodes: [1, 3],
  prefillTokens: [16],
  rows: 2,
  rowTokens: 8,
  trees: ['auto', 4] as const,
};

describe('runBench', () => {
  it('measures every suite on a shape with random weights, and its report can be a baseline', async () => {
    const messages: string[] = [];
    const report = await runBench({
      ...small,
      trees: [...small.trees],
      shape: 'tiny',
      threads: 1,
      onProgress: (message) => messages.push(message),
    });
    expect(report.failures).toEqual([]);
    expect(report.subject).toMatchObject({
      name: 'tiny',
      weights: 'random',
      parameters: 260032,
      dtype: 'f32',
      device: 'cpu',
      threads: 1,
    });
    const names = report.measurements.map(({ suite, name, unit }) => `${suite}: ${name}, ${unit}`);
    expect(names).toEqual([
      'decode: autoregressive, ms/token',
      'verify: 1 node, ms',
      'verify: 3 nodes, ms',
      'prefill: 16 tokens, tokens/s',
      'train: 2 x 8 tokens, ms',
      'train: 2 x 8 tokens, tokens/s',
      'generate: autoregressive, tokens/step',
      'generate: autoregressive, tokens/s',
      ...['jacobi', 'tr-jacobi, auto tree', 'tr-jacobi, 4 nodes'].flatMap((name) => [
        `generate: ${name}, tokens/step`,
        `generate: ${name}, tokens/s`,
        `generate: ${name}, x autoregressive`,
      ]),
    ]);
    for (const { spread } of report.measurements) expect(spread.min).toBeGreaterThan(0);
    expect(messages).toContain('verify: 3 nodes behind 8');
    const path = join(folder, 'report.json');
    writeFileSync(path, JSON.stringify(report));
    expect(readReport(path)).toEqual(report);
  });

  it('measures the shape of a config.json', async () => {
    const path = join(folder, 'config.json');
    writeFileSync(path, JSON.stringify(shapes.quickstart));
    const report = await runBench({
      config: path,
      suites: ['verify'],
      nodes: [2],
      repeats: 1,
      promptTokens: 4,
    });
    expect(report.subject).toMatchObject({ name: 'config.json', weights: 'random', parameters: 869504 });
    expect(report.measurements).toHaveLength(1);
  });

  it.each([
    ['nothing to measure', {}, /^model: expected exactly one of a model folder, a shape and a config/],
    ['two models', { shape: 'tiny', model: 'x' }, /^model: expected exactly one of/],
    [
      'an unknown shape',
      { shape: 'huge' },
      /^shape: expected one of tiny, quickstart, 135m.* received "huge"$/,
    ],
    ['a config that is not there', { config: '/nowhere/config.json' }, /^config: cannot read .*ENOENT/],
    ['no suites', { shape: 'tiny', suites: [] }, /^suites: expected at least one suite/],
    [
      'no repeats',
      { shape: 'tiny', repeats: 0 },
      /^repeats: expected an integer from 1 to 1000, received 0$/,
    ],
  ])('refuses %s', async (_, options, message) => {
    await expect(runBench(options)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
  });

  it('stops when its signal is raised', async () => {
    const controller = new AbortController();
    const onProgress = (message: string) => {
      if (message.startsWith('decode')) controller.abort();
    };
    await expect(
      runBench({ ...small, trees: ['auto'], shape: 'tiny', signal: controller.signal, onProgress }),
    ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});
