/** What a report shows. Every section is left out where its data are missing. */

/** Whose numbers something is; gives it the same colour in every chart. */
export type SeriesRole = 'base' | 'sft' | 'noisy';

export interface Highlight {
  value: string;
  label: string;
  /** One sentence on what the number compares. */
  note?: string;
}

export interface ResultTable {
  columns: string[];
  rows: string[][];
  /** Behind the table: what the columns mean, what was counted. */
  note?: string;
}

export interface LossCurve {
  name: string;
  role: SeriesRole;
  /** Optimizer steps, ascending, and the mean training loss of each, in nats. */
  steps: number[];
  losses: number[];
  /** Losses on the evaluation data and the steps at which they were measured. */
  evaluatedAt: number[];
  evaluationLosses: number[];
}

export interface DenoisingAccuracy {
  name: string;
  role: SeriesRole;
  /** Part of the tokens predicted rightly at offset 1, 2, … inside a noise segment, from 0 to 1. */
  byOffset: number[];
}

export interface AcceptedLengths {
  name: string;
  role: SeriesRole;
  /** counts[i]: steps that accepted i + 1 tokens. */
  counts: number[];
}

/** A text as it was generated, step by step. */
export interface SampleText {
  name: string;
  steps: Array<{ text: string; tokens: number }>;
}

export interface Sample {
  prompt: string;
  texts: SampleText[];
}

export interface Details {
  title: string;
  entries: Array<[name: string, value: string]>;
}

export interface Report {
  title: string;
  /** A sentence or two below the title. */
  summary: string;
  highlights?: Highlight[];
  results?: ResultTable;
  lossCurves?: LossCurve[];
  denoising?: DenoisingAccuracy[];
  acceptedLengths?: AcceptedLengths[];
  samples?: Sample[];
  /** Machine, options, versions: what a repetition needs. */
  details?: Details[];
}
