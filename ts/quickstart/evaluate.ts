/** Lets a model answer the held-out prompts with every way to decode, and counts. */
import { MakeSomeNoiseError } from '../errors';
import { generate, loadModel, type GenerationStatistics, type Model } from '../index';
import {
  DECODING_CHOICES,
  type DecodingChoice,
  type DecodingFigures,
  type ModelFigures,
  type SampleRun,
  type StepText,
} from './result';
import { TASK_NAMES, type TaskExample } from './tasks';

/** More than the longest answer has. */
const MOST_NEW_TOKENS = 96;
/** Prompts whose texts the report shows step by step, the first of as many tasks. */
const SAMPLES = 3;

export interface Answer {
  text: string;
  tokens: Int32Array;
  isFinished: boolean;
  steps: StepText[];
}

export interface EvaluationSettings {
  threads: number | 'auto';
  signal: AbortSignal | undefined;
  /** Called behind every answer. */
  onAnswer: () => void;
}

export type Evaluation = Pick<ModelFigures, 'exactMatch' | 'exactMatchByTask' | 'decoding' | 'samples'>;

/** @throws MakeSomeNoiseError ERR_INTERNAL when a method gives another text than autoregressive decoding */
export async function evaluateModel(
  folder: string,
  examples: readonly TaskExample[],
  settings: EvaluationSettings,
): Promise<Evaluation> {
  const { threads, signal } = settings;
  await using model = await loadModel(folder, { threads, signal });
  // The first generation grows the key/value cache; it is not timed.
  await answerPrompt(model, examples[0]!, DECODING_CHOICES[0]!, signal);
  const decoding: DecodingFigures[] = [];
  const samples: SampleRun[] = examples.slice(0, SAMPLES).map(({ prompt }) => ({ prompt, steps: {} }));
  let expected: Answer[] = [];
  for (const choice of DECODING_CHOICES) {
    const { answers, figures } = await answerAll(model, examples, choice, settings);
    decoding.push(figures);
    samples.forEach((sample, index) => (sample.steps[choice.name] = answers[index]!.steps));
    if (expected.length === 0) expected = answers;
    else requireEqual(expected, answers, examples, choice);
  }
  const isRight = expected.map(
    ({ text, isFinished }, index) => isFinished && text === examples[index]!.completion,
  );
  return { decoding, samples, ...exactMatches(examples, isRight) };
}

async function answerAll(
  model: Model,
  examples: readonly TaskExample[],
  choice: DecodingChoice,
  settings: EvaluationSettings,
): Promise<{ answers: Answer[]; figures: DecodingFigures }> {
  const answers: Answer[] = [];
  const sums = { newTokens: 0, steps: 0, decodeMs: 0 };
  const acceptedLengths: number[] = [];
  for (const example of examples) {
    const { stats, ...answer } = await answerPrompt(model, example, choice, settings.signal);
    answers.push(answer);
    sums.newTokens += stats.newTokens;
    sums.steps += stats.steps;
    sums.decodeMs += stats.decodeMs;
    for (const length of stats.acceptedLengths)
      acceptedLengths[length - 1] = (acceptedLengths[length - 1] ?? 0) + 1;
    settings.onAnswer();
  }
  return {
    answers,
    figures: {
      name: choice.name,
      newTokens: sums.newTokens,
      steps: sums.steps,
      tokensPerStep: sums.newTokens / sums.steps,
      tokensPerSecond: (1000 * sums.newTokens) / sums.decodeMs,
      acceptedLengths: Array.from(acceptedLengths, (count: number | undefined) => count ?? 0),
    },
  };
}

async function answerPrompt(
  model: Model,
  { prompt }: TaskExample,
  { method, tree }: DecodingChoice,
  signal: AbortSignal | undefined,
): Promise<Answer & { stats: GenerationStatistics }> {
  const generation = generate(model, {
    messages: [{ role: 'user', content: prompt }],
    maxNewTokens: MOST_NEW_TOKENS,
    decoding: method === 'tr-jacobi' ? { method, tree } : { method },
    signal,
    throwOnAbort: true,
  });
  const steps: StepText[] = [];
  for await (const { text, tokens } of generation) steps.push({ text, tokens: tokens.length });
  const { text, tokens, finishReason, stats } = await generation;
  return { text, tokens, isFinished: finishReason === 'stop', steps, stats };
}

function requireEqual(
  expected: readonly Answer[],
  answers: readonly Answer[],
  examples: readonly TaskExample[],
  choice: DecodingChoice,
): void {
  const different = answers.findIndex(
    ({ tokens }, index) => tokens.join() !== expected[index]!.tokens.join(),
  );
  if (different === -1) return;
  throw new MakeSomeNoiseError(
    'ERR_INTERNAL',
    `${choice.name} and autoregressive decoding differ on the prompt ${JSON.stringify(examples[different]!.prompt)}: ` +
      `${JSON.stringify(answers[different]!.text)} and ${JSON.stringify(expected[different]!.text)}; ` +
      'they must give the same text, so please report this',
  );
}

function exactMatches(
  examples: readonly TaskExample[],
  isRight: readonly boolean[],
): Pick<ModelFigures, 'exactMatch' | 'exactMatchByTask'> {
  const part = (flags: readonly boolean[]): number => flags.filter(Boolean).length / flags.length;
  const byTask = TASK_NAMES.map((name) => [
    name,
    part(isRight.filter((_, index) => examples[index]!.task === name)),
  ]);
  return {
    exactMatch: part(isRight),
    exactMatchByTask: Object.fromEntries(byTask) as ModelFigures['exactMatchByTask'],
  };
}
