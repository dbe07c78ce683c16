/** One session of a training run, from options to the trained model on disk. */
import { BatchPlan, type BatchOptions } from '../data/batches';
import { MakeSomeNoiseError } from '../errors';
import { nativeDevice } from '../model/device-options';
import type { CancelToken, NativeModule, NativeTrainer, NativeTrainerOptions } from '../native/contract';
import { checkpointWeights, restoreOptimizer, writeModelFiles, type Checkpoint } from './checkpoint';
import { RunControl } from './control';
import { replaceFilesDurably } from '../durable';
import { evaluationDecoding, type EvaluationPlan } from './evaluation';
import type { TrainingEvent, TrainingResult } from './events';
import { fingerprintOf } from './fingerprint';
import { runLoop } from './loop';
import { nativeNoise, type CheckedOptions } from './options';
import { clearOutput, findCheckpoint, openOutput } from './output';
import {
  composeReport,
  emptyHistory,
  writeReport,
  type ReportHead,
  type RunHistory,
  type TrainingReport,
} from './report';
import { warmupStepsOf, type Schedule } from './schedule';
import type { TrainingSource } from './source';
import { loadTrainingData, type TrainingData } from './training-data';

export interface SessionInput {
  options: CheckedOptions;
  /** The model in the report: its path, or what stands for an object. */
  modelName: string;
  source: TrainingSource;
  native: NativeModule;
  control: RunControl;
  cancel: CancelToken;
  emit: (event: TrainingEvent) => void;
}

export async function runSession(input: SessionInput): Promise<TrainingResult> {
  const { options, source, control, emit } = input;
  const began = performance.now();
  await openOutput(options.output);
  const data = await loadTrainingData(options, source);
  for (const message of data.remarks) emit({ type: 'log', level: 'warning', message });

  const batchOptions: BatchOptions = { ...options, sequenceLength: data.sequenceLength };
  const plan = planRun(options, data, batchOptions, source);
  const { fingerprint, schedule } = plan;
  const checkpoint = await findCheckpoint(options.output, options.resume, fingerprint, schedule.totalSteps);
  control.throwIfAborted();
  for (const message of await clearOutput(options.output, options.resume)) {
    emit({ type: 'log', level: 'info', message });
  }
  const trainer = await createTrainer(input, plan.native, checkpoint);
  try {
    const history = resumedHistory(checkpoint);
    const head = reportHead(input, data, trainer, schedule);
    const report = (status: TrainingReport['status']): TrainingReport =>
      composeReport(head, status, history, performance.now() - began);
    await writeReport(options.output, report('running'));
    emit({ type: 'log', level: 'info', message: opening(data, schedule, checkpoint) });
    try {
      await runLoop({
        ...options,
        trainer,
        source,
        batches: plan.batches,
        schedule,
        evaluation: evaluationPlan(input, data, plan.native.noise),
        fingerprint,
        history,
        firstStep: checkpoint?.state.step ?? 0,
        control,
        cancel: input.cancel,
        emit,
      });
      await replaceFilesDurably(options.output, 'model.safetensors', (folder) =>
        writeModelFiles(folder, trainer, source, input.cancel),
      );
      const finished = report('finished');
      await writeReport(options.output, finished);
      return resultOf(options.output, finished);
    } catch (error) {
      const aborted = error instanceof MakeSomeNoiseError && error.code === 'ERR_ABORTED';
      // The reason of the failure matters more than a report that cannot be written.
      await writeReport(options.output, report(aborted ? 'aborted' : 'failed')).catch(() => undefined);
      throw error;
    }
  } finally {
    trainer.dispose();
  }
}

interface RunPlan {
  batches: BatchPlan;
  schedule: Schedule;
  native: NativeTrainerOptions;
  fingerprint: ReturnType<typeof fingerprintOf>;
}

function planRun(
  options: CheckedOptions,
  data: TrainingData,
  { batchSize, gradientAccumulation, sequenceLength, packing, shuffle, seed }: BatchOptions,
  source: TrainingSource,
): RunPlan {
  const batchOptions = { batchSize, gradientAccumulation, sequenceLength, packing, shuffle, seed };
  const batches = new BatchPlan(data.training, batchOptions);
  const totalSteps = options.steps ?? batches.stepsIn(options.epochs ?? 3);
  const schedule: Schedule = {
    name: options.schedule,
    learningRate: options.learningRate,
    warmupSteps: warmupStepsOf(totalSteps, options.warmupRatio),
    totalSteps,
    finalRatio: options.finalLearningRateRatio,
  };
  const noise = nativeNoise(options.noise);
  const optimizer = { ...options.optimizer, clipNorm: options.clipNorm };
  const fingerprint = fingerprintOf({
    shape: source.shape,
    data: data.training.hash(),
    batches: batchOptions,
    noise,
    optimizer,
    schedule,
  });
  const { gradientCheckpointing, dtype } = options;
  return { batches, schedule, native: { optimizer, noise, gradientCheckpointing, dtype }, fingerprint };
}

async function createTrainer(
  { options, source, native, cancel }: SessionInput,
  trainerOptions: NativeTrainerOptions,
  checkpoint: Checkpoint | undefined,
): Promise<NativeTrainer> {
  const tensors = checkpoint === undefined ? source.tensors : await checkpointWeights(checkpoint.path);
  const model = checkpoint === undefined ? source.native : undefined;
  const trainer = await native.createTrainer(
    source.shape,
    tensors,
    model,
    trainerOptions,
    nativeDevice(options),
    cancel,
  );
  try {
    if (checkpoint !== undefined) await restoreOptimizer(checkpoint, trainer, cancel);
  } catch (error) {
    trainer.dispose();
    throw error;
  }
  return trainer;
}

function resumedHistory(checkpoint: Checkpoint | undefined): RunHistory {
  if (checkpoint === undefined) return emptyHistory();
  const { step, history } = checkpoint.state;
  return { ...history, resumedAt: [...history.resumedAt, step] };
}

function opening(data: TrainingData, { totalSteps }: Schedule, checkpoint: Checkpoint | undefined): string {
  if (checkpoint !== undefined) {
    const { step } = checkpoint.state;
    return step === totalSteps
      ? `${checkpoint.path} has done all ${totalSteps} steps: nothing is left to train`
      : `going on from ${checkpoint.path}, step ${step} of ${totalSteps}`;
  }
  const evaluated = data.evaluation === undefined ? '' : `, ${data.evaluation.rows} rows to evaluate on`;
  return `${data.training.rows} rows, ${data.training.tokenCount} tokens${evaluated}; ${totalSteps} steps`;
}

function evaluationPlan(
  { options, source, native }: SessionInput,
  data: TrainingData,
  noise: NativeTrainerOptions['noise'],
): EvaluationPlan | undefined {
  if (data.evaluation === undefined) return undefined;
  return {
    dataset: data.evaluation,
    batchSize: options.batchSize,
    sequenceLength: data.sequenceLength,
    noise,
    prompts: options.evalPrompts,
    newTokens: options.evalNewTokens,
    contextLength: source.shape.contextLength,
    eosTokens: source.eosTokens,
    dtype: source.storedDtype === 'BF16' ? 'stored-bf16' : 'stored-f32',
    decoding: evaluationDecoding(native),
  };
}

function reportHead(
  { options, modelName }: SessionInput,
  data: TrainingData,
  trainer: NativeTrainer,
  { totalSteps, warmupSteps }: Schedule,
): ReportHead {
  const { kind, name, instructions, threads } = trainer.device;
  return {
    version: 1,
    // JSON leaves out what is undefined.
    options: { model: modelName, ...options, signal: undefined },
    device: { kind, name, instructions, threads },
    parameters: trainer.parameters,
    totalSteps,
    warmupSteps,
    data: data.report,
    heldOutRows: data.evalReport === undefined ? (data.evaluation?.rows ?? 0) : 0,
    evalData: data.evalReport,
  };
}

function resultOf(model: string, report: TrainingReport): TrainingResult {
  const evaluation = report.evaluations.at(-1);
  return {
    model,
    steps: report.totalSteps,
    evalLoss: evaluation?.loss,
    denoisingAccuracy: evaluation?.denoisingAccuracy,
    tokensPerStep: evaluation?.tokensPerStep,
    report,
  };
}
