import { createModel, denoise, generate, type Model } from '../../ts';
import { errorOf } from '../support/folders';

let model: Model;
beforeAll(async () => {
  model = await createModel(
    {
      vocab_size: 40,
      hidden_size: 32,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      max_position_embeddings: 64,
      initializer_range: 0.5,
    },
    { seed: 11 },
  );
});
afterAll(() => model.dispose());
const prefix = [3, 1, 4, 1, 5, 9];

test('the fixed point is what greedy decoding writes', async () => {
  const result = await denoise(model, { prefix });
  const { tokens } = await generate(model, { tokens: prefix, maxNewTokens: 5, eosTokens: [] });
  expect(result.tokens).toEqual(tokens);
  expect(result).toMatchObject({ fixedPoint: true, matched: 5, text: '' });
  expect(result.iterations).toBeLessThanOrEqual(6);
  expect(result.trajectory).toHaveLength(result.iterations + 1);
  expect(result.trajectory.at(-1)).toEqual(result.tokens);
  for (const token of result.trajectory[0]!) expect(prefix).toContain(token);
  expect(result.probabilities).toHaveLength(5);
  for (const probability of result.probabilities) expect(probability).toBeGreaterThan(0);
});

test('every pass gets at least one more token right', async () => {
  const { tokens } = await generate(model, { tokens: prefix, maxNewTokens: 8, eosTokens: [] });
  for (let passes = 1; passes <= 8; passes++) {
    const result = await denoise(model, { prefix, noise: { length: 8, seed: 3 }, maxIterations: passes });
    expect(result.matched).toBeGreaterThanOrEqual(Math.min(passes, 8));
    expect(result.tokens.slice(0, result.matched)).toEqual(tokens.slice(0, result.matched));
  }
});

test('a segment of your own, and noise by seed', async () => {
  const noisy = Int32Array.of(7, 7, 7);
  const result = await denoise(model, { prefix: Int32Array.from(prefix), noisy });
  expect(result.trajectory[0]).toEqual(noisy);
  const first = async (seed: number) =>
    (await denoise(model, { prefix, noise: { length: 20, seed } })).trajectory[0];
  expect(await first(1)).toEqual(await first(1));
  expect(await first(1)).not.toEqual(await first(2));
});

test.each<[object, string]>([
  [{ prefix: [] }, 'at least one token'],
  [{ prefix: [40] }, '40'],
  [{ prefix: 5 }, 'prefix: expected a string or token ids, received 5'],
  [{ noise: { length: 0 } }, 'noise.length: expected an integer from 1 to 512, received 0'],
  [{ noise: { length: 5 }, noisy: [1] }, 'noise'],
  [{ noisy: [41] }, '41'],
  [{ maxIterations: 0 }, 'maxIterations: expected'],
  [{ noise: { length: 60 } }, 'noise.length: expected an integer from 1 to 58, received 60'],
  [{ iterations: 3 }, 'unknown option "iterations"'],
])('refused: %j', async (options, message) => {
  const error = await errorOf(() => denoise(model, { prefix, ...options }));
  expect(error.code).toBe('ERR_INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test('text needs a tokenizer, an abort is an error', async () => {
  expect(await errorOf(() => denoise(model, { prefix: 'text' }))).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  const signal = AbortSignal.abort();
  expect(await errorOf(() => denoise(model, { prefix, signal }))).toMatchObject({ code: 'ERR_ABORTED' });
});
