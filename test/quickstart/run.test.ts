import { readFileSync } from 'node:fs';
import { runCli } from '../cli/run-cli';
import { temporaryFolder } from '../support/temporary-folder';
import { loadModel } from '../../ts/index';
import { runQuickstart, type QuickstartProgress } from '../../ts/quickstart/run';
import type { QuickstartResult } from '../../ts/quickstart/result';

const folder = temporaryFolder();

describe('a quick run', () => {
  const progress: QuickstartProgress[] = [];
  let result: QuickstartResult;
  beforeAll(async () => {
    result = await runQuickstart({
      output: folder,
      quick: true,
      threads: 1,
      onProgress: (event) => progress.push(event),
    });
  });

  test('goes through every phase to its end', () => {
    const ends = progress.filter(({ done, total }) => done === total).map(({ phase }) => phase);
    expect(ends).toEqual(['base', 'sft', 'noisy', 'evaluate-sft', 'evaluate-noisy']);
  });

  test('both models start from the same weights and differ in the noise alone', () => {
    const { noise: noNoise, output: _a, ...plain } = result.sft.training.options;
    const { noise, output: _b, ...noisy } = result.noisy.training.options;
    expect(plain).toEqual(noisy);
    expect(noNoise).toBe(false);
    expect(noise).toMatchObject({ kind: 'ahead', length: 5, segments: 1 });
  });

  test('counts add up', () => {
    for (const { decoding } of [result.sft, result.noisy]) {
      for (const figures of decoding) {
        expect(figures.acceptedLengths.reduce((sum, count) => sum + count, 0)).toBe(figures.steps);
        expect(figures.newTokens).toBe(decoding[0]!.newTokens);
      }
      expect(decoding[0]!.tokensPerStep).toBe(1);
    }
  });

  test('leaves two models that load, and a report with every section', async () => {
    for (const { folder: path } of [result.sft, result.noisy]) {
      await using model = await loadModel(path, { threads: 1 });
      expect(model.tokenizer.hasChatTemplate).toBe(true);
    }
    const html = readFileSync(result.report, 'utf8');
    const sections = [...html.matchAll(/<section id="([\w-]+)"/g)].map(([, id]) => id);
    expect(sections).toEqual(['results', 'samples', 'accepted-lengths', 'denoising', 'loss', 'details']);
  });

  test('the same seed gives the same models', async () => {
    const again = temporaryFolder();
    const second = await runQuickstart({ output: again, quick: true, threads: 1 });
    expect(second.sft.evaluationLoss).toBe(result.sft.evaluationLoss);
    expect(second.noisy.evaluationLoss).toBe(result.noisy.evaluationLoss);
    expect(second.noisy.decoding.map(({ steps }) => steps)).toEqual(
      result.noisy.decoding.map(({ steps }) => steps),
    );
  });
});

test('msn quickstart --quick --json prints the figures, and goes over an earlier run', async () => {
  const { code, stdout, stderr } = await runCli(['quickstart', '--quick', '--json', '--output', folder]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    comparison: { gain: expect.any(Number) as number },
    noisy: { decoding: expect.any(Array) as unknown[], exactMatch: expect.any(Number) as number },
    report: expect.stringMatching(/report\.html$/) as string,
  });
});
