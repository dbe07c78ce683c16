/** The training loop: one native call per optimizer step, the next batch prepared while it computes. */
import type { BatchPlan, StepBatches } from '../data/batches';
import type { CancelToken, NativeTrainer } from '../native/contract';
import { pruneCheckpoints, writeCheckpoint } from './checkpoint';
import type { RunControl } from './control';
import { evaluate, type EvaluationPlan } from './evaluation';
import type { TrainingEvent } from './events';
import type { Fingerprint } from './fingerprint';
import type { RunHistory } from './report';
import { learningRateAt, type Schedule } from './schedule';
import type { TrainingSource } from './source';

export interface LoopSettings {
  trainer: NativeTrainer;
  source: TrainingSource;
  batches: BatchPlan;
  schedule: Schedule;
  /** Undefined without evaluation data. */
  evaluation: EvaluationPlan | undefined;
  /** Steps between evaluations. */
  evalEvery: number;
  /** Steps between checkpoints; 0: none. */
  saveEvery: number;
  keepLast: number;
  output: string;
  fingerprint: Fingerprint;
  /** Grows with the run. */
  history: RunHistory;
  /** Steps done before. */
  firstStep: number;
  control: RunControl;
  cancel: CancelToken;
  emit: (event: TrainingEvent) => void;
}

/** Runs the steps that are left; the trainer then holds the trained weights. */
export async function runLoop(settings: LoopSettings): Promise<void> {
  const { control, schedule, evaluation, evalEvery, saveEvery } = settings;
  const began = performance.now();
  const sessionMs = (): number => performance.now() - began;
  let step = settings.firstStep;
  let saved: { step: number; path: string } | undefined;
  const save = async (): Promise<string> => {
    if (saved?.step !== step) saved = { step, path: await saveCheckpoint(settings, step, sessionMs()) };
    return saved.path;
  };

  let next = step < schedule.totalSteps ? settings.batches.at(step) : undefined;
  while (next !== undefined) {
    await control.betweenSteps(save);
    next = await oneStep(settings, step, next, sessionMs);
    step++;
    const last = step === schedule.totalSteps;
    if (evaluation !== undefined && (last || step % evalEvery === 0)) await evaluateNow(settings, step);
    if (saveEvery > 0 && (last || step % saveEvery === 0)) await save();
  }
  await control.answerSaves(save);
}

/** Takes a step and returns the batches of the one behind it. */
async function oneStep(
  settings: LoopSettings,
  step: number,
  { epoch, batches }: StepBatches,
  sessionMs: () => number,
): Promise<StepBatches | undefined> {
  const { trainer, schedule, history } = settings;
  const learningRate = learningRateAt(step, schedule);
  const begin = performance.now();
  const stepping = trainer.step(batches, epoch, learningRate, settings.cancel);
  const next = step + 1 < schedule.totalSteps ? settings.batches.at(step + 1) : undefined;
  const result = await stepping;
  const seconds = (performance.now() - begin) / 1000;
  const { loss, gradientNorm, lossTokens, inputTokens, milliseconds } = result;
  const done = step + 1;
  history.steps.push({ step: done, loss, gradientNorm, learningRate, lossTokens, inputTokens, milliseconds });
  settings.emit({
    type: 'step',
    step: done,
    totalSteps: schedule.totalSteps,
    epoch,
    loss,
    gradientNorm,
    learningRate,
    lossTokens,
    inputTokens,
    tokensPerSecond: inputTokens / seconds,
    remainingMs: (sessionMs() / (done - settings.firstStep)) * (schedule.totalSteps - done),
  });
  return next;
}

async function evaluateNow(settings: LoopSettings, step: number): Promise<void> {
  const begin = performance.now();
  const evaluation = await evaluate(settings.trainer, settings.evaluation!, settings.cancel);
  settings.history.evaluations.push({ step, ...evaluation, milliseconds: performance.now() - begin });
  settings.emit({ type: 'eval', step, ...evaluation });
}

async function saveCheckpoint(settings: LoopSettings, step: number, sessionMs: number): Promise<string> {
  const { output, trainer, source, cancel, fingerprint, history } = settings;
  const saved = { ...history, earlierMs: history.earlierMs + sessionMs };
  const path = await writeCheckpoint(output, { step, fingerprint, history: saved }, trainer, source, cancel);
  settings.emit({ type: 'checkpoint', step, path });
  await pruneCheckpoints(output, settings.keepLast);
  return path;
}
