/** Holds a run against an earlier one: what became slower, by how much, and whether the noise explains it. */
import { MakeSomeNoiseError } from '../errors';
import type { BenchReport, Measurement, SubjectDescription } from './report';

/**
 * 'slower' and 'faster' are changes beyond the limit whose quartile ranges do not touch; 'missing' was in the
 * baseline and not in this run, though its suite ran; 'new' the other way round.
 */
export type Verdict = 'slower' | 'faster' | 'same' | 'missing' | 'new';

export interface Change {
  readonly suite: Measurement['suite'];
  readonly name: string;
  readonly unit: Measurement['unit'];
  readonly before: number | undefined;
  readonly after: number | undefined;
  /** Relative change of the median, positive is worse; undefined when one side has no such measurement. */
  readonly worseBy: number | undefined;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Differences of the two machines, for the reader: they do not decide. */
  readonly notes: readonly string[];
  /** True when nothing is slower or missing. */
  readonly passed: boolean;
}

/** '5%' as 0.05. Throws ERR_INVALID_ARGUMENT for anything but a percentage from 0% up. */
export function parsePercentage(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (match === null) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `${option}: expected a percentage such as 5%, received ${JSON.stringify(text)}`,
    );
  }
  return Number(match[1]) / 100;
}

/**
 * @param maxRegression Fraction of the baseline's median that a measurement may lose, 0.05 for 5%.
 * @throws ERR_INVALID_ARGUMENT when the two runs measured different models: their times say nothing about each other.
 */
export function compareReports(
  baseline: BenchReport,
  current: BenchReport,
  maxRegression: number,
): Comparison {
  requireSameSubject(baseline.subject, current.subject);
  const suitesRun = new Set(current.measurements.map((measurement) => measurement.suite));
  const currentByKey = new Map(current.measurements.map((measurement) => [key(measurement), measurement]));
  const baselineKeys = new Set(baseline.measurements.map(key));
  const changes = [
    ...baseline.measurements
      .filter((measurement) => suitesRun.has(measurement.suite))
      .map((measurement) => changeOf(measurement, currentByKey.get(key(measurement)), maxRegression)),
    ...current.measurements
      .filter((measurement) => !baselineKeys.has(key(measurement)))
      .map((measurement) => changeOf(undefined, measurement, maxRegression)),
  ];
  return {
    changes,
    notes: machineNotes(baseline, current),
    passed: changes.every(({ verdict }) => verdict !== 'slower' && verdict !== 'missing'),
  };
}

const key = (measurement: Measurement): string =>
  `${measurement.suite}/${measurement.name}/${measurement.unit}`;

function changeOf(
  before: Measurement | undefined,
  after: Measurement | undefined,
  maxRegression: number,
): Change {
  const { suite, name, unit } = (before ?? after)!;
  const change = { suite, name, unit, before: before?.spread.median, after: after?.spread.median };
  if (after === undefined) return { ...change, worseBy: undefined, verdict: 'missing' };
  if (before === undefined) return { ...change, worseBy: undefined, verdict: 'new' };
  const difference = after.spread.median - before.spread.median;
  const worseBy = (after.better === 'lower' ? difference : -difference) / before.spread.median;
  const rose = after.spread.lowerQuartile > before.spread.upperQuartile;
  const fell = after.spread.upperQuartile < before.spread.lowerQuartile;
  const [clearlyWorse, clearlyBetter] = after.better === 'lower' ? [rose, fell] : [fell, rose];
  const verdict =
    worseBy > maxRegression && clearlyWorse
      ? 'slower'
      : worseBy < -maxRegression && clearlyBetter
        ? 'faster'
        : 'same';
  return { ...change, worseBy, verdict };
}

function requireSameSubject(before: SubjectDescription, after: SubjectDescription): void {
  for (const field of ['name', 'weights', 'parameters', 'dtype', 'device'] as const) {
    if (before[field] === after[field]) continue;
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `baseline: it measured ${field} ${before[field]}, this run measures ${after[field]}: compare runs of the same model`,
    );
  }
}

function machineNotes(before: BenchReport, after: BenchReport): string[] {
  const rows: Array<[string, string | number, string | number]> = [
    ['CPU', before.machine.cpu, after.machine.cpu],
    ['instruction set', before.subject.instructions, after.subject.instructions],
    ['threads', before.subject.threads, after.subject.threads],
    ['Node', before.machine.node, after.machine.node],
  ];
  return rows
    .filter(([, was, is]) => was !== is)
    .map(([what, was, is]) => `${what}: ${was} in the baseline, ${is} now`);
}
