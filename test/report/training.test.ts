import { renderReport } from '../../ts/report/render';
import { reportOfTraining } from '../../ts/report/training';
import type { TrainingReport } from '../../ts/train/report';

const step = (number: number) => ({
  step: number,
  loss: 1 / number,
  gradientNorm: 1,
  learningRate: 1e-3,
  lossTokens: 10,
  inputTokens: 50,
  milliseconds: 100,
});

const report: TrainingReport = {
  version: 1,
  status: 'finished',
  options: { noise: { kind: 'ahead', length: 2 }, batchSize: 4, evalData: undefined },
  device: { kind: 'cpu', name: 'a processor', instructions: 'avx2', threads: 2 },
  parameters: 1234,
  totalSteps: 2,
  warmupSteps: 0,
  data: {} as TrainingReport['data'],
  heldOutRows: 0,
  evalData: undefined,
  steps: [step(1), step(2)],
  evaluations: [
    { step: 1, loss: 0.9, denoisingAccuracy: [0.1, 0.2], tokensPerStep: 1.1, milliseconds: 5 },
    { step: 2, loss: 0.5, denoisingAccuracy: [0.3, 0.4], tokensPerStep: 1.5, milliseconds: 5 },
  ],
  resumedAt: [1],
  timing: { totalMs: 300, stepsMs: 200, evaluationsMs: 10 },
};

test('the last evaluation, the curve and the options are shown', () => {
  const page = reportOfTraining(report);
  expect(page.highlights?.map(({ label, value }) => [label, value])).toEqual([
    ['evaluation loss', '0.5000'],
    ['tokens per step', '1.50'],
    ['training tokens per second', '500'],
  ]);
  expect(page.lossCurves).toMatchObject([
    { role: 'noisy', steps: [1, 2], losses: [1, 0.5], evaluatedAt: [1, 2] },
  ]);
  expect(page.denoising).toMatchObject([{ byOffset: [0.3, 0.4] }]);
  expect(page.details?.[0]?.entries).toContainEqual(['resumed at steps', '1']);
  expect(page.details?.[1]?.entries).toEqual([
    ['noise', '{"kind":"ahead","length":2}'],
    ['batchSize', '4'],
  ]);
});

test('a plain run without evaluation is a page too', () => {
  const page = reportOfTraining({ ...report, options: { noise: false }, evaluations: [], resumedAt: [] });
  expect(page.lossCurves).toMatchObject([{ role: 'sft', evaluatedAt: [] }]);
  expect(renderReport(page)).not.toContain('id="denoising"');
});
