import type { Report } from '../../ts/report/report';

const steps = (count: number, from: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index + 1);
const falling = (count: number, from: number, to: number): number[] =>
  Array.from(
    { length: count },
    (_, index) => to + (from - to) * Math.exp(-index / 60) * (1 + 0.1 * Math.sin(index)),
  );

const text = '{"name": "Anna", "age": 34, "city": "Paris"}';
const inSteps = (lengths: number[]): Array<{ text: string; tokens: number }> => {
  let at = 0;
  return lengths
    .map((tokens) => ({ text: text.slice(at, (at += tokens)), tokens }))
    .filter((step) => step.text !== '');
};

/** A report with every section, of made-up numbers. */
export const fullReport: Report = {
  title: 'makesomenoise quickstart',
  summary: 'Two models from the same weights & the same 400 steps: one fine-tuned plainly, one with noise.',
  highlights: [
    { value: '2.84', label: 'tokens per step', note: 'noisy, TR-Jacobi; plain fine-tuning gives 2.09' },
    { value: '1.36 ×', label: 'gain by noise' },
    { value: '−0.02', label: 'price in exact match', note: '0.95 instead of 0.97' },
  ],
  results: {
    columns: ['model', 'evaluation loss', 'exact match', 'method', 'tokens/step', 'tokens/s'],
    rows: [
      ['SFT', '0.0123', '0.970', 'autoregressive', '1.00', '2,512'],
      ['SFT', '0.0123', '0.970', 'jacobi', '1.09', '2,201'],
      ['noisy', '0.0150', '0.955', 'tr-jacobi', '2.84', '3,120'],
    ],
    note: 'Greedy, 200 held-out prompts.',
  },
  lossCurves: [
    {
      name: 'base',
      role: 'base',
      steps: steps(300, 0),
      losses: falling(300, 4.8, 0.05),
      evaluatedAt: [150, 300],
      evaluationLosses: [0.3, 0.06],
    },
    {
      name: 'SFT',
      role: 'sft',
      steps: steps(200, 300),
      losses: falling(200, 0.05, 0.01),
      evaluatedAt: [400, 500],
      evaluationLosses: [0.02, 0.012],
    },
    {
      name: 'noisy',
      role: 'noisy',
      steps: steps(200, 300),
      losses: falling(200, 0.4, 0.12),
      evaluatedAt: [400, 500],
      evaluationLosses: [0.03, 0.015],
    },
  ],
  denoising: [
    { name: 'SFT', role: 'sft', byOffset: [0.5, 0.3, 0.2, 0.15, 0.1] },
    { name: 'noisy', role: 'noisy', byOffset: [0.9, 0.8, 0.72, 0.66, 0.6] },
  ],
  acceptedLengths: [
    { name: 'SFT', role: 'sft', counts: [300, 150, 80, 40, 20, 10] },
    { name: 'noisy', role: 'noisy', counts: [100, 150, 160, 90, 60, 80] },
  ],
  samples: [
    {
      prompt: 'JSON: Anna is 34 and lives in Paris.',
      texts: [
        { name: 'autoregressive', steps: inSteps(Array<number>(44).fill(1)) },
        {
          name: 'SFT, TR-Jacobi',
          steps: inSteps([2, 1, 3, 1, 2, 1, 4, 1, 1, 2, 3, 5, 1, 2, 3, 1, 2, 6, 1, 1, 1]),
        },
        { name: 'noisy, TR-Jacobi', steps: inSteps([6, 4, 3, 5, 6, 2, 6, 1, 4, 6, 1]) },
      ],
    },
  ],
  details: [
    {
      title: 'Machine',
      entries: [
        ['cpu', 'AMD EPYC'],
        ['threads', '2'],
      ],
    },
    {
      title: 'Options',
      entries: [
        ['noise', '{ kind: ahead, length: 5, segments: 1 }'],
        ['seed', '0'],
      ],
    },
  ],
};
