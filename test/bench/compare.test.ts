import { compareReports, parsePercentage } from '../../ts/bench/compare';
import type { BenchReport, Measurement } from '../../ts/bench/report';
import { spreadOf } from '../../ts/bench/statistics';

const decode = (...samples: number[]): Measurement => ({
  suite: 'decode',
  name: 'autoregressive',
  unit: 'ms/token',
  better: 'lower',
  spread: spreadOf(samples),
});
const speed = (...samples: number[]): Measurement => ({
  suite: 'generate',
  name: 'tr-jacobi',
  unit: 'tokens/s',
  better: 'higher',
  spread: spreadOf(samples),
});

function reportOf(measurements: Measurement[], subject: Partial<BenchReport['subject']> = {}): BenchReport {
  return {
    format: 'makesomenoise-bench-1',
    machine: {
      cpu: 'A CPU',
      logicalCores: 2,
      memoryBytes: 1,
      platform: 'linux-x64',
      node: 'v20.0.0',
      version: '0.1.0',
      date: '2026-01-01T00:00:00.000Z',
    },
    subject: {
      name: 'tiny',
      weights: 'random',
      parameters: 10,
      dtype: 'f32',
      device: 'cpu',
      instructions: 'avx512',
      threads: 2,
      ...subject,
    },
    settings: {},
    measurements,
    failures: [],
  };
}

const verdicts = (before: Measurement[], after: Measurement[], limit = 0.05) =>
  compareReports(reportOf(before), reportOf(after), limit).changes.map(({ verdict }) => verdict);

describe('compareReports', () => {
  it('calls a change slower when it passes the limit and the quartile ranges do not touch', () => {
    const comparison = compareReports(
      reportOf([decode(10, 10.1, 10.2)]),
      reportOf([decode(11, 11.1, 11.2)]),
      0.05,
    );
    expect(comparison.passed).toBe(false);
    expect(comparison.changes).toEqual([
      expect.objectContaining({ suite: 'decode', verdict: 'slower', before: 10.1, after: 11.1 }),
    ]);
    expect(comparison.changes[0]!.worseBy).toBeCloseTo(1 / 10.1, 12);
  });

  it('calls it the same inside the limit, or inside the spread', () => {
    expect(verdicts([decode(10, 10, 10)], [decode(10.4, 10.4, 10.4)])).toEqual(['same']);
    expect(verdicts([decode(8, 10, 12)], [decode(9, 11, 13)])).toEqual(['same']);
  });

  it('knows which way is worse', () => {
    expect(verdicts([speed(100, 100, 100)], [speed(90, 90, 90)])).toEqual(['slower']);
    expect(verdicts([speed(100, 100, 100)], [speed(110, 110, 110)])).toEqual(['faster']);
    expect(verdicts([decode(100, 100, 100)], [decode(90, 90, 90)])).toEqual(['faster']);
  });

  it('fails on a measurement that is gone, not on a suite that did not run', () => {
    const other: Measurement = { ...decode(1), name: 'another' };
    const gone = compareReports(reportOf([decode(1), other]), reportOf([decode(1)]), 0.05);
    expect(gone.changes.map(({ verdict }) => verdict)).toEqual(['same', 'missing']);
    expect(gone.passed).toBe(false);
    const notRun = compareReports(reportOf([decode(1), speed(1)]), reportOf([decode(1)]), 0.05);
    expect(notRun.changes.map(({ suite }) => suite)).toEqual(['decode']);
    expect(notRun.passed).toBe(true);
    expect(verdicts([decode(1)], [decode(1), speed(1)])).toEqual(['same', 'new']);
  });

  it('refuses to compare different models and notes different machines', () => {
    expect(() => compareReports(reportOf([]), reportOf([], { dtype: 'bf16' }), 0.05)).toThrow(
      'baseline: it measured dtype f32, this run measures bf16: compare runs of the same model',
    );
    const notes = compareReports(reportOf([]), reportOf([], { threads: 4 }), 0.05).notes;
    expect(notes).toEqual(['threads: 2 in the baseline, 4 now']);
  });
});

describe('parsePercentage', () => {
  it('reads percentages and nothing else', () => {
    expect(parsePercentage('max-regression', '5%')).toBe(0.05);
    expect(parsePercentage('max-regression', '12.5%')).toBe(0.125);
    for (const text of ['5', '-5%', '%', '5 %', 'abc%', '']) {
      expect(() => parsePercentage('max-regression', text)).toThrow(
        `max-regression: expected a percentage such as 5%, received ${JSON.stringify(text)}`,
      );
    }
  });
});
