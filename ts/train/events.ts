/** What a training run tells while it runs and when it ends. */
import type { TrainingReport } from './report';

/** An optimizer step is done. */
export interface StepEvent {
  type: 'step';
  /** Optimizer steps done, this one included. */
  step: number;
  /** Steps of the whole run. */
  totalSteps: number;
  /** Epoch of this step's data, counted from 0. */
  epoch: number;
  /** Mean cross-entropy over the step's loss tokens, in nats. */
  loss: number;
  /** Of the whole gradient, before clipping. */
  gradientNorm: number;
  learningRate: number;
  lossTokens: number;
  inputTokens: number;
  /** Input tokens per second of this step. */
  tokensPerSecond: number;
  /** Estimate for the rest of the run, from the mean of this session's steps, in milliseconds. */
  remainingMs: number;
}

/** The model was evaluated. */
export interface EvalEvent {
  type: 'eval';
  step: number;
  /** Mean cross-entropy over the evaluation data's loss tokens, inputs without noise, in nats. */
  loss: number;
  /**
   * Part of the tokens predicted rightly at offset 1, 2, … inside a noise segment (offset 1: the first noise token is
   * the input). Plain fine-tuning is measured with the paper's noise.
   */
  denoisingAccuracy: number[];
  /** New tokens per forward pass of TR-Jacobi with the paper's tree; undefined when evalPrompts is 0. */
  tokensPerStep: number | undefined;
}

/** A checkpoint is whole on the disk. */
export interface CheckpointEvent {
  type: 'checkpoint';
  step: number;
  path: string;
}

export interface LogEvent {
  type: 'log';
  level: 'info' | 'warning';
  message: string;
}

export type TrainingEvent = StepEvent | EvalEvent | CheckpointEvent | LogEvent;

export interface TrainingResult {
  /** Folder of the trained model, which `loadModel` and transformers load. */
  model: string;
  /** Optimizer steps of the run, those before a resumption included. */
  steps: number;
  /** Of the last evaluation; undefined without evaluation data. */
  evalLoss: number | undefined;
  denoisingAccuracy: number[] | undefined;
  tokensPerStep: number | undefined;
  /** Also in `training-report.json` in the model's folder. */
  report: TrainingReport;
}
