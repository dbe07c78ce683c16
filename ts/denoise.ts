/** What noisy training taught, made visible: Jacobi iteration on a noisy segment. */
import { internalsOf, modelSchema, type Model } from './model/model';
import { checkExactlyOne, promptTokens } from './generate/prompt';
import { cancellable } from './native/cancel';
import { abortSignal, either, exactly, integer, options, seed, text, tokenIds, validate } from './validate';

/** What to denoise. */
export interface DenoiseOptions {
  /** What stands before the segment: text, or token ids. */
  prefix: string | ArrayLike<number>;
  /** The segment is made of `length` (1 to 512, default 5) random tokens of the prefix; `seed` defaults to 0. */
  noise?: { length?: number | undefined; seed?: number | undefined } | undefined;
  /** The segment itself, instead of `noise`. */
  noisy?: ArrayLike<number> | undefined;
  /** Passes at most; 'until-fixed-point' (default) ends when a pass changes nothing, which it does after at most
   * length + 1 passes. */
  maxIterations?: 'until-fixed-point' | number | undefined;
  /** Rejects with ERR_ABORTED within one pass. */
  signal?: AbortSignal | undefined;
}

/** What became of the segment. */
export interface DenoiseResult {
  /** The segment after the last pass. */
  tokens: Int32Array;
  /** Its text; empty without a tokenizer. */
  text: string;
  /** Passes made, the one that changed nothing included. */
  iterations: number;
  /** Whether the last pass changed nothing: the segment then is what greedy decoding writes. */
  fixedPoint: boolean;
  /** The first noise, then the segment after each pass. */
  trajectory: Int32Array[];
  /** How many of the segment's first tokens are those of greedy autoregressive decoding. */
  matched: number;
  /** Probability of each token of the segment in the last pass. */
  probabilities: Float32Array;
}

const denoiseSchema = options({
  prefix: either('a string or token ids', [text(), tokenIds()] as const),
  noise: options({ length: integer(1, 512).default(5), seed: seed().default(0) }).optional(),
  noisy: tokenIds().optional(),
  maxIterations: either("'until-fixed-point' or an integer of at least 1", [
    exactly('until-fixed-point'),
    integer(1, 0x7fffffff),
  ] as const).default('until-fixed-point'),
  signal: abortSignal().optional(),
});

/**
 * Puts noise behind a prefix and lets the model correct it, all places at once, pass after pass (Jacobi iteration). A
 * model that was trained with noise gets more of it right in the first pass.
 *
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED for text without a tokenizer, ERR_DISPOSED,
 *   ERR_ABORTED
 * @example
 * const { trajectory, matched } = await denoise(model, { prefix: 'Once upon a time', noise: { length: 5 } });
 */
export async function denoise(model: Model, given: DenoiseOptions): Promise<DenoiseResult> {
  validate(modelSchema(), model, 'model');
  const { prefix, noise, noisy, maxIterations, signal } = validate(denoiseSchema, given);
  if (noise !== undefined) checkExactlyOne({ noise, noisy }, ['noise', 'noisy']);
  const { module, native } = internalsOf(model);
  const tokens = await promptTokens(
    model,
    typeof prefix === 'string' ? { prompt: prefix } : { tokens: prefix },
  );
  const { trajectory, ...result } = await cancellable(module, signal, (cancel) =>
    native.denoise(
      {
        prefix: tokens,
        noisy: noisy ?? new Int32Array(),
        noiseLength: noise?.length ?? 5,
        noiseSeed: noise?.seed ?? 0,
        maxIterations: maxIterations === 'until-fixed-point' ? 0 : maxIterations,
      },
      cancel,
    ),
  );
  return {
    ...result,
    text: model.hasTokenizer ? await model.tokenizer.decode(result.tokens) : '',
    trajectory: rowsOf(trajectory, result.tokens.length),
  };
}

function rowsOf(values: Int32Array, width: number): Int32Array[] {
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width),
  );
}
