/** The learning rate of a step, by the formulas of transformers' schedulers. */

export const SCHEDULES = ['cosine', 'linear', 'constant'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

export interface Schedule {
  name: ScheduleName;
  /** The highest rate. */
  learningRate: number;
  warmupSteps: number;
  totalSteps: number;
  /** Part of the highest rate that cosine and linear end at. */
  finalRatio: number;
}

/** As transformers rounds `warmup_ratio`: up. */
export function warmupStepsOf(totalSteps: number, warmupRatio: number): number {
  return Math.ceil(totalSteps * warmupRatio);
}

/**
 * The rate of optimizer step `step`, counted from 0: during the warm-up `step / warmupSteps` of the highest, so the
 * first step only fills the optimizer's moments; then constant, or falling along a line or half a cosine to
 * `finalRatio` of it (`cosine_with_min_lr`), which the step behind the last one would have.
 */
export function learningRateAt(step: number, schedule: Schedule): number {
  const { name, learningRate, warmupSteps, totalSteps, finalRatio } = schedule;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  if (name === 'constant') return learningRate;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  const factor = name === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
  return learningRate * (factor * (1 - finalRatio) + finalRatio);
}
