/** Evaluation during training: it reads the weights and leaves everything as it was. */
import { evaluationBatches } from '../data/batches';
import type { TokenDataset } from '../data/dataset';
import { decodingSchema, nativeDecoding } from '../generate/decoding';
import { nativeSampling, samplingSchema } from '../generate/sampling';
import type {
  CancelToken,
  NativeDtypeRequest,
  NativeModel,
  NativeModule,
  NativeNoiseOptions,
  NativeTrainer,
} from '../native/contract';

/** The paper's noise, with which plain fine-tuning is measured. */
const PAPER_NOISE: NativeNoiseOptions = { enabled: true, kind: 'ahead', length: 5, segments: 1, seed: 0 };

/** Longest beginning of a text that serves as prompt where the data has no prompts. */
const LONGEST_TEXT_PROMPT = 64;

export interface EvaluationPlan {
  dataset: TokenDataset;
  batchSize: number;
  sequenceLength: number;
  noise: NativeNoiseOptions;
  /** Rows that text is generated from, and how much; this bounds the time of an evaluation. */
  prompts: number;
  newTokens: number;
  contextLength: number;
  eosTokens: Int32Array;
  /** What text is generated in: what the trained model will be computed in when it is loaded. */
  dtype: NativeDtypeRequest;
  /** How, with the paper's tree. */
  decoding: ReturnType<typeof evaluationDecoding>;
}

export interface Evaluation {
  loss: number;
  denoisingAccuracy: number[];
  tokensPerStep: number | undefined;
}

export async function evaluate(
  trainer: NativeTrainer,
  plan: EvaluationPlan,
  cancel: CancelToken,
): Promise<Evaluation> {
  const noise = plan.noise.enabled ? plan.noise : PAPER_NOISE;
  const correct = new Float64Array(noise.length);
  const counted = new Float64Array(noise.length);
  let lossSum = 0;
  let lossTokens = 0;
  for (const batch of evaluationBatches(plan.dataset, plan.batchSize, plan.sequenceLength)) {
    const sums = await trainer.evaluate(batch, noise, cancel);
    lossSum += sums.lossSum;
    lossTokens += sums.lossTokens;
    sums.correct.forEach((count, offset) => (correct[offset]! += count));
    sums.counted.forEach((count, offset) => (counted[offset]! += count));
  }
  return {
    loss: lossSum / lossTokens,
    // An offset that no segment reached has nothing to say.
    denoisingAccuracy: Array.from(correct, (count, offset) =>
      counted[offset] ? count / counted[offset] : 0,
    ),
    tokensPerStep: plan.prompts === 0 ? undefined : await tokensPerStep(trainer, plan, cancel),
  };
}

async function tokensPerStep(
  trainer: NativeTrainer,
  plan: EvaluationPlan,
  cancel: CancelToken,
): Promise<number | undefined> {
  const model = await trainer.snapshot(plan.dtype, cancel);
  try {
    let tokens = 0;
    let steps = 0;
    for (const prompt of evaluationPrompts(plan.dataset, plan.prompts, plan.contextLength)) {
      await decode(model, prompt, plan, cancel, (newTokens) => {
        tokens += newTokens;
        steps++;
      });
    }
    return steps === 0 ? undefined : tokens / steps;
  } finally {
    model.dispose();
  }
}

/**
 * Prompts out of the first rows: what stands before the first response or, where the loss begins at once because the
 * data is plain text, the first half of the row, at most 64 tokens.
 */
export function evaluationPrompts(dataset: TokenDataset, count: number, contextLength: number): Int32Array[] {
  const prompts: Int32Array[] = [];
  for (let row = 0; row < Math.min(count, dataset.rows); row++) {
    const { tokens, loss } = dataset.row(row);
    const response = loss.indexOf(1);
    const half = Math.min(LONGEST_TEXT_PROMPT, Math.max(1, tokens.length >> 1));
    const prompt = tokens.slice(0, response > 1 ? response : half);
    if (prompt.length < contextLength) prompts.push(prompt);
  }
  return prompts;
}

function decode(
  model: NativeModel,
  prompt: Int32Array,
  plan: EvaluationPlan,
  cancel: CancelToken,
  onStep: (newTokens: number) => void,
): Promise<void> {
  const request = {
    prompt,
    maxNewTokens: plan.newTokens,
    endOfSequence: plan.eosTokens,
    ...plan.decoding,
  };
  return model.generate(
    request,
    () => undefined,
    ({ tokens }) => onStep(tokens.length),
    cancel,
  );
}

/** Greedy TR-Jacobi with the paper's tree. */
export const evaluationDecoding = (native: Pick<NativeModule, 'draftPaths'>) => ({
  ...nativeSampling(samplingSchema.parse({})),
  ...nativeDecoding(native, decodingSchema.parse({ tree: 'paper' }), 'cpu'),
});
