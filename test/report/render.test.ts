import { lossChartData } from '../../ts/report/loss-chart';
import { renderReport } from '../../ts/report/render';
import { fullReport } from './fixture';

const html = renderReport(fullReport);

test('the same data give the same page', () => {
  expect(renderReport(structuredClone(fullReport))).toBe(html);
});

test('the page asks for nothing from outside', () => {
  const references = [...html.matchAll(/\b(?:src|href|action|data)="([^"]*)"/g)].map(([, target]) => target);
  expect(references).toEqual(['data:,']);
  expect(html).not.toMatch(/@import|url\((?!data:)|\bfetch\(|XMLHttpRequest/);
});

test.each(['results', 'samples', 'accepted-lengths', 'denoising', 'loss', 'details'])(
  'section %s is there',
  (id) => {
    expect(html).toContain(`<section id="${id}"`);
  },
);

test('sections without data are left out, with the chart library', () => {
  const bare = renderReport({ title: 'Nothing', summary: 'Nothing was measured.' });
  expect(bare).not.toMatch(/<section|<script/);
});

test('text cannot become markup', () => {
  const evil = '</script><img src=x onerror=alert(1)>"\'&';
  const page = renderReport({
    title: evil,
    summary: evil,
    highlights: [{ value: evil, label: evil, note: evil }],
    results: { columns: [evil], rows: [[evil]], note: evil },
    lossCurves: [{ name: evil, role: 'sft', steps: [1], losses: [1], evaluatedAt: [], evaluationLosses: [] }],
    denoising: [{ name: evil, role: 'sft', byOffset: [1] }],
    acceptedLengths: [{ name: evil, role: 'sft', counts: [1] }],
    samples: [{ prompt: evil, texts: [{ name: evil, steps: [{ text: evil, tokens: 1 }] }] }],
    details: [{ title: evil, entries: [[evil, evil]] }],
  });
  expect(page).not.toContain('<img');
  expect(page.match(/<script>/g)).toHaveLength(2);
  expect(page.match(/<\/script>/g)).toHaveLength(2);
});

test('every step of a sample is one patch of its length, and the text is whole', () => {
  const patches = [
    ...html.matchAll(/<span class="step-(\d)" title="step \d+: (\d+) tokens?">([^<]*)<\/span>/g),
  ];
  expect(patches).toHaveLength(
    fullReport.samples![0]!.texts.reduce((sum, { steps }) => sum + steps.length, 0),
  );
  for (const [, colour, tokens] of patches) expect(Number(colour)).toBe(Math.min(Number(tokens), 6));
  const autoregressive = patches.slice(0, 44).map(([, , , text]) => text!.replaceAll('&quot;', '"'));
  expect(autoregressive.join('')).toBe('{"name": "Anna", "age": 34, "city": "Paris"}');
});

test('bars are as long as their numbers say', () => {
  const widths = [
    ...html.matchAll(
      /class="fill noisy" style="width:([\d.]+)%"><\/span><\/span><span class="number">([\d.]+) %/g,
    ),
  ];
  const denoising = widths.slice(-5);
  expect(denoising.map(([, width]) => Number(width))).toEqual([90, 80, 72, 66, 60]);
  expect(denoising.map(([, , number]) => Number(number))).toEqual([90, 80, 72, 66, 60]);
});

test('curves of different steps share one axis, with gaps where one has no value', () => {
  const data = lossChartData([
    { name: 'a', role: 'base', steps: [1, 2], losses: [4, 4], evaluatedAt: [2], evaluationLosses: [3] },
    { name: 'b', role: 'noisy', steps: [3], losses: [2], evaluatedAt: [], evaluationLosses: [] },
  ]);
  expect(data.x).toEqual([1, 2, 3]);
  expect(data.series.map(({ name, values }) => [name, values])).toEqual([
    ['a', [4, 4, null]],
    ['a, held out', [null, 3, null]],
    ['b', [null, null, 2]],
  ]);
});
