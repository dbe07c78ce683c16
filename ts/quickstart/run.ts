/**
 * The quickstart: makes data, trains a small model from scratch, fine-tunes it twice from the same weights with the
 * same seed and steps, without noise and with it, and measures both.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createModel, train, type Model, type TrainingResult, type TrainOptions } from '../index';
import { renderReport } from '../report/render';
import { evaluateModel } from './evaluate';
import { contextLengthOf, FULL_RECIPE, QUICK_RECIPE, type Phase, type Recipe } from './recipe';
import { quickstartReport } from './report';
import { DECODING_CHOICES, type ModelFigures, type QuickstartResult } from './result';
import { makeTaskData, type TaskData, type TaskExample } from './tasks';
import { writeTokenizer } from './tokenizer';

export interface QuickstartProgress {
  phase: 'base' | 'sft' | 'noisy' | 'evaluate-sft' | 'evaluate-noisy';
  /** Optimizer steps, or answers. */
  done: number;
  total: number;
  /** Of the last optimizer step. */
  loss?: number;
  tokensPerSecond?: number;
}

export interface QuickstartOptions {
  /** Folder for data, models and report; made when it is missing. */
  output: string;
  /** Everything tiny, in seconds: the models learn nothing. Default false. */
  quick?: boolean;
  /** Of data, first weights, order and noise. Default 0. */
  seed?: number;
  threads?: number | 'auto';
  signal?: AbortSignal;
  onProgress?: (progress: QuickstartProgress) => void;
}

/** Where everything lies below the output folder. */
interface Layout {
  trainData: string;
  heldOutData: string;
  tokenizer: string;
  base: string;
  sft: string;
  noisy: string;
  report: string;
}

export async function runQuickstart(options: QuickstartOptions): Promise<QuickstartResult> {
  const started = performance.now();
  const { seed = 0, quick = false } = options;
  const recipe = quick ? QUICK_RECIPE : FULL_RECIPE;
  const layout = layoutOf(options.output);
  const data = makeTaskData({ train: recipe.train, heldOut: recipe.heldOut }, seed);
  writeData(layout, data, recipe);
  const session = new QuickstartSession(options, recipe, layout, data.heldOut);
  const base = await session.trainBase();
  const sft = await session.fineTune('sft');
  const noisy = await session.fineTune('noisy');
  const result: QuickstartResult = {
    recipe,
    seed,
    base: { folder: base.model, evaluationLoss: base.evalLoss ?? Number.NaN, training: base.report },
    sft: await session.measure('sft', sft),
    noisy: await session.measure('noisy', noisy),
    report: layout.report,
    milliseconds: performance.now() - started,
  };
  writeFileSync(layout.report, renderReport(quickstartReport(result)));
  return result;
}

function layoutOf(output: string): Layout {
  const root = resolve(output);
  return {
    trainData: join(root, 'data', 'train.jsonl'),
    heldOutData: join(root, 'data', 'held-out.jsonl'),
    tokenizer: join(root, 'tokenizer'),
    base: join(root, 'base'),
    sft: join(root, 'sft'),
    noisy: join(root, 'noisy'),
    report: join(root, 'report.html'),
  };
}

function writeData(layout: Layout, data: TaskData, recipe: Recipe): void {
  mkdirSync(join(layout.trainData, '..'), { recursive: true });
  const lines = (examples: readonly TaskExample[]): string =>
    examples.map(({ prompt, completion }) => `${JSON.stringify({ prompt, completion })}\n`).join('');
  writeFileSync(layout.trainData, lines(data.train));
  writeFileSync(layout.heldOutData, lines(data.heldOut));
  writeTokenizer(layout.tokenizer, contextLengthOf(recipe));
}

/** The settings that all phases share. */
class QuickstartSession {
  private readonly seed: number;
  private readonly threads: number | 'auto';

  constructor(
    private readonly options: QuickstartOptions,
    private readonly recipe: Recipe,
    private readonly layout: Layout,
    private readonly heldOut: readonly TaskExample[],
  ) {
    this.seed = options.seed ?? 0;
    this.threads = options.threads ?? 'auto';
  }

  async trainBase(): Promise<TrainingResult> {
    const { layout, recipe, seed, threads } = this;
    await using model = await createModel(recipe.model, { seed, tokenizer: layout.tokenizer, threads });
    return await this.train('base', model, recipe.base, false);
  }

  fineTune(name: 'sft' | 'noisy'): Promise<TrainingResult> {
    const { noise, fineTuning } = this.recipe;
    return this.train(name, this.layout.base, fineTuning, name === 'noisy' && { ...noise, seed: this.seed });
  }

  async measure(name: 'sft' | 'noisy', trained: TrainingResult): Promise<ModelFigures> {
    const total = DECODING_CHOICES.length * this.heldOut.length;
    let done = 0;
    const evaluation = await evaluateModel(trained.model, this.heldOut, {
      threads: this.threads,
      signal: this.options.signal,
      onAnswer: () => this.options.onProgress?.({ phase: `evaluate-${name}`, done: ++done, total }),
    });
    return {
      folder: trained.model,
      evaluationLoss: trained.evalLoss ?? Number.NaN,
      denoisingAccuracy: trained.denoisingAccuracy ?? [],
      training: trained.report,
      ...evaluation,
    };
  }

  private async train(
    phase: 'base' | 'sft' | 'noisy',
    model: string | Model,
    { steps, learningRate }: Phase,
    noise: TrainOptions['noise'],
  ): Promise<TrainingResult> {
    const { layout, recipe, seed, threads } = this;
    const run = train({
      model,
      data: layout.trainData,
      evalData: layout.heldOutData,
      format: 'prompt-completion',
      output: layout[phase],
      noise,
      steps,
      learningRate,
      seed,
      threads,
      // Loose documents: a batch is so many examples, whatever their length.
      packing: false,
      batchSize: recipe.batchSize,
      sequenceLength: contextLengthOf(recipe),
      schedule: 'cosine',
      warmupRatio: 0.05,
      finalLearningRateRatio: 0.05,
      optimizer: { beta1: 0.9, beta2: 0.98, weightDecay: 0.01 },
      clipNorm: 1,
      evalEvery: Math.max(1, Math.ceil(steps / 4)),
      evalPrompts: 0,
      saveEvery: 0,
      resume: false,
      signal: this.options.signal,
    });
    for await (const event of run) {
      if (event.type !== 'step') continue;
      const { step, totalSteps, loss, tokensPerSecond } = event;
      this.options.onProgress?.({ phase, done: step, total: totalSteps, loss, tokensPerSecond });
    }
    return await run;
  }
}
