/** Training: `train` and the types that its users name. */
export type { DataFormat } from '../data/formats';
export type { DataReport, SkipReason, Tally } from '../data/load';
export type {
  CheckpointEvent,
  EvalEvent,
  LogEvent,
  StepEvent,
  TrainingEvent,
  TrainingResult,
} from './events';
export type { NoiseOptions, OptimizerOptions } from './options';
export type { EvaluationRecord, StepRecord, TrainingReport } from './report';
export { TrainingRun } from './run';
export type { ScheduleName } from './schedule';
export { train, type TrainOptions } from './train';
