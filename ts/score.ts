/** How likely a model finds a given text. */
import { MakeSomeNoiseError } from './errors';
import { checkExactlyOne, promptTokens } from './generate/prompt';
import { internalsOf, modelSchema, type Model } from './model/model';
import { cancellable } from './native/cancel';
import { abortSignal, options, text, tokenIds, validate } from './validate';

/** What to score: exactly one of text and tokens, of two tokens or more. */
export interface ScoreOptions {
  /** Encoded with what the tokenizer puts around a text. */
  text?: string | undefined;
  tokens?: ArrayLike<number> | undefined;
  /** Rejects with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
}

/** How likely the tokens are. */
export interface ScoreResult {
  /** The tokens that were scored. */
  tokens: Int32Array;
  /** Natural logarithm of the probability of every token after the first, given those before it. */
  logProbabilities: Float32Array;
  /** e to the mean of the negated logarithms. */
  perplexity: number;
}

const scoreSchema = options({
  text: text().optional(),
  tokens: tokenIds().optional(),
  signal: abortSignal().optional(),
});

/**
 * Scores given tokens, each from the true ones before it (teacher forcing).
 *
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED for text without a tokenizer, ERR_DISPOSED,
 *   ERR_ABORTED
 * @example
 * const { perplexity } = await score(model, { text: 'The cat sat on the mat.' });
 */
export async function score(model: Model, given: ScoreOptions): Promise<ScoreResult> {
  validate(modelSchema(), model, 'model');
  const wanted = validate(scoreSchema, given);
  checkExactlyOne(wanted, ['text', 'tokens']);
  const { module, native } = internalsOf(model);
  const tokens = await promptTokens(model, { prompt: wanted.text, tokens: wanted.tokens });
  if (tokens.length < 2) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `${wanted.text === undefined ? 'tokens' : 'text'}: expected at least two tokens, received one`,
    );
  }
  const logProbabilities = await cancellable(module, wanted.signal, (cancel) => native.score(tokens, cancel));
  const sum = logProbabilities.reduce((total, value) => total + value, 0);
  return { tokens, logProbabilities, perplexity: Math.exp(-sum / logProbabilities.length) };
}
