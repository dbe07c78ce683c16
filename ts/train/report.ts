/** What a run measured, for the result and for training-report.json. */
import { join } from 'node:path';
import type { DataReport } from '../data/load';
import type { NativeDeviceInfo } from '../native/contract';
import { replaceDurably } from '../durable';

export const REPORT_FILE = 'training-report.json';

export interface StepRecord {
  step: number;
  loss: number;
  gradientNorm: number;
  learningRate: number;
  lossTokens: number;
  inputTokens: number;
  /** Of the native step. */
  milliseconds: number;
}

export interface EvaluationRecord {
  step: number;
  loss: number;
  denoisingAccuracy: number[];
  tokensPerStep: number | undefined;
  milliseconds: number;
}

/** Kept in every checkpoint, so that the report of a resumed run tells the whole run. */
export interface RunHistory {
  steps: StepRecord[];
  evaluations: EvaluationRecord[];
  /** Steps at which the run was resumed. */
  resumedAt: number[];
  /** Wall time of the sessions before this one, in milliseconds. */
  earlierMs: number;
}

export const emptyHistory = (): RunHistory => ({ steps: [], evaluations: [], resumedAt: [], earlierMs: 0 });

export interface TrainingReport {
  version: 1;
  status: 'running' | 'finished' | 'aborted' | 'failed';
  /** The options with their defaults, those that JSON can hold. */
  options: Record<string, unknown>;
  device: Pick<NativeDeviceInfo, 'kind' | 'name' | 'instructions' | 'threads'>;
  parameters: number;
  totalSteps: number;
  warmupSteps: number;
  /** What became of the rows of the training data. */
  data: DataReport;
  /** Rows of `data` that were held out by evalFraction. */
  heldOutRows: number;
  evalData: DataReport | undefined;
  steps: StepRecord[];
  evaluations: EvaluationRecord[];
  resumedAt: number[];
  timing: {
    /** Wall time of all sessions. */
    totalMs: number;
    /** Inside optimizer steps. */
    stepsMs: number;
    evaluationsMs: number;
  };
}

/** The parts that are known when training begins. */
export type ReportHead = Omit<TrainingReport, 'status' | 'steps' | 'evaluations' | 'resumedAt' | 'timing'>;

export function composeReport(
  head: ReportHead,
  status: TrainingReport['status'],
  history: RunHistory,
  sessionMs: number,
): TrainingReport {
  const sum = (records: ReadonlyArray<{ milliseconds: number }>): number =>
    records.reduce((total, { milliseconds }) => total + milliseconds, 0);
  return {
    ...head,
    status,
    steps: history.steps,
    evaluations: history.evaluations,
    resumedAt: history.resumedAt,
    timing: {
      totalMs: history.earlierMs + sessionMs,
      stepsMs: sum(history.steps),
      evaluationsMs: sum(history.evaluations),
    },
  };
}

export function writeReport(output: string, report: TrainingReport): Promise<void> {
  return replaceDurably(join(output, REPORT_FILE), JSON.stringify(report, null, 1) + '\n');
}
