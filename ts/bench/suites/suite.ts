/** What every suite gets and gives. */
import type { Model } from '../../model/model';
import type { Measurement } from '../report';
import type { BenchSettings } from '../settings';

export interface SuiteContext {
  readonly model: Model;
  readonly settings: BenchSettings;
}

export interface SuiteResult {
  readonly measurements: readonly Measurement[];
  /** What is wrong whatever the times are: a text that differs between methods. */
  readonly failures: readonly string[];
}

export type Suite = (context: SuiteContext) => Promise<SuiteResult>;

/** Calls `measure` once for warm-up and then `repeats` times; gives the results of the latter. */
export async function repeated<T>(repeats: number, measure: () => Promise<T>): Promise<T[]> {
  await measure();
  const results: T[] = [];
  while (results.length < repeats) results.push(await measure());
  return results;
}
