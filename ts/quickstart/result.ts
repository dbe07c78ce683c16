/** What the quickstart measured. */
import type { TrainingReport } from '../train/report';
import type { Recipe } from './recipe';
import type { TaskName } from './tasks';

export const METHODS = ['autoregressive', 'jacobi', 'tr-jacobi'] as const;

/** A way to decode; TR-Jacobi comes with two trees. */
export interface DecodingChoice {
  name: string;
  method: (typeof METHODS)[number];
  tree: 'auto' | 'paper';
}

/** Autoregressive first: the others are compared with its texts. */
export const DECODING_CHOICES: readonly DecodingChoice[] = [
  { name: 'autoregressive', method: 'autoregressive', tree: 'auto' },
  { name: 'jacobi', method: 'jacobi', tree: 'auto' },
  { name: 'tr-jacobi, auto tree', method: 'tr-jacobi', tree: 'auto' },
  { name: 'tr-jacobi, paper tree', method: 'tr-jacobi', tree: 'paper' },
];

export interface DecodingFigures {
  name: string;
  newTokens: number;
  steps: number;
  tokensPerStep: number;
  tokensPerSecond: number;
  /** Index i: steps that accepted i + 1 tokens. */
  acceptedLengths: number[];
}

export interface StepText {
  text: string;
  tokens: number;
}

/** One held-out prompt, decoded with every choice. */
export interface SampleRun {
  prompt: string;
  /** By name of the choice. */
  steps: Record<string, StepText[]>;
}

export interface ModelFigures {
  folder: string;
  evaluationLoss: number;
  /** By offset 1, 2, … inside a noise segment. */
  denoisingAccuracy: number[];
  /** Part of the held-out prompts whose answer is right to the letter. */
  exactMatch: number;
  exactMatchByTask: Record<TaskName, number>;
  decoding: DecodingFigures[];
  samples: SampleRun[];
  training: TrainingReport;
}

export interface QuickstartResult {
  recipe: Recipe;
  seed: number;
  base: { folder: string; evaluationLoss: number; training: TrainingReport };
  sft: ModelFigures;
  noisy: ModelFigures;
  /** Path of report.html. */
  report: string;
  milliseconds: number;
}

/** The figures of a way to decode. */
export function figuresOf(model: ModelFigures, name: string): DecodingFigures {
  const found = model.decoding.find((figures) => figures.name === name);
  if (found === undefined) throw new RangeError(`${name} was not measured`);
  return found;
}
