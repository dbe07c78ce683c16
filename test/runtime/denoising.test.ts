import fc from 'fast-check';
import { drawnModel, drawnText, modelOf, modulo } from '../support/arbitraries';
import { decode, textOf } from '../support/decoding';
import { type TestModel, randomModel } from '../support/models';
import { loadTesting } from '../support/testing';

const native = loadTesting();
interface Denoised {
  tokens: number[];
  trajectory: number[][];
  iterations: number;
  fixedPoint: boolean;
  matched: number;
  probabilities: number[];
}
const denoise = (model: TestModel, request: Record<string, unknown>) =>
  native.denoise!({ model, ...request }) as Denoised;
const score = (model: TestModel, tokens: number[], cancelled = false) =>
  native.score!({ model, tokens, cancelled }) as number[];

const shape = { vocabularySize: 24, contextLength: 64 };
const model = randomModel(shape, 3);
const prefix = [3, 1, 4, 1, 5, 9, 2, 6];

describe('denoise', () => {
  test('reaches the greedy continuation, a token a pass at the least', () => {
    const drawnCase = fc.record({
      text: drawnText(1, 40),
      noisy: fc.array(fc.nat(999), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(drawnModel, drawnCase, (drawn, { text, noisy }) => {
        const engine = modelOf(drawn);
        const prompt = modulo(text, drawn.shape);
        const found = denoise(engine, { prefix: prompt, noisy: modulo(noisy, drawn.shape) });
        const greedy = textOf(decode(engine, { prompt, maxNewTokens: noisy.length }));
        expect(found.tokens).toEqual(greedy);
        expect(found).toMatchObject({ fixedPoint: true, matched: noisy.length });
        expect(found.iterations).toBeLessThanOrEqual(noisy.length + 1);
        expect(found.trajectory).toHaveLength(found.iterations + 1);
        expect(found.trajectory.at(-1)).toEqual(found.trajectory.at(-2));
        found.trajectory.forEach((tokens, pass) =>
          expect(tokens.slice(0, pass)).toEqual(greedy.slice(0, pass)),
        );
      }),
      { numRuns: 60 },
    );
  });
  test('stops after the passes that were asked for, and says how far the text is right', () => {
    const greedy = textOf(decode(model, { prompt: prefix, maxNewTokens: 12 }));
    const wrong = greedy.map((token, i) => (i === 0 ? (token + 1) % 24 : token));
    const noisy = [...wrong.slice(0, 1), ...new Array<number>(11).fill(0)];
    const found = denoise(model, { prefix, noisy, maxIterations: 1 });
    expect(found).toMatchObject({ iterations: 1, fixedPoint: false });
    expect(found.trajectory).toEqual([noisy, found.tokens]);
    const agreement = found.tokens.findIndex((token, i) => token !== greedy[i]);
    expect(found.matched).toBe(agreement < 0 ? 12 : agreement);
    expect(found.matched).toBeGreaterThanOrEqual(1);
    expect(found.matched).toBeLessThan(12);
  });
  test('the probabilities are those of the tokens behind what they were computed from', () => {
    const found = denoise(model, { prefix, noiseLength: 6, noiseSeed: 4 });
    const scores = score(model, [...prefix, ...found.tokens]).slice(prefix.length - 1);
    found.probabilities.forEach((probability, i) => expect(probability).toBeCloseTo(Math.exp(scores[i]!), 5));
  });
  test('noise comes from the prefix, as a function of the seed', () => {
    const first = (noiseSeed: number) =>
      denoise(model, { prefix, noiseLength: 30, noiseSeed, maxIterations: 1 }).trajectory[0]!;
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
    expect(new Set([...first(1), ...first(2)])).toEqual(new Set(prefix));
  });
  test.each<[Record<string, unknown>, string]>([
    [{ prefix: [] }, 'prefix: expected at least one token, received none'],
    [{ prefix: [24] }, 'prefix[0]: expected a token id from 0 to 23, received 24'],
    [
      { prefix: new Array<number>(64).fill(1) },
      'prefix: expected at most 63 tokens (one less than the context length 64), received 64',
    ],
    [{ prefix, noiseLength: 0 }, 'noise.length: expected an integer from 1 to 56, received 0'],
    [{ prefix, noiseLength: 57 }, 'noise.length: expected an integer from 1 to 56, received 57'],
    [{ prefix, noisy: [1, -1] }, 'noisy[1]: expected a token id from 0 to 23, received -1'],
    [
      { prefix, noisy: new Array<number>(57).fill(1) },
      'noisy: expected at most 56 tokens (what the context leaves behind the prefix), received 57',
    ],
    [{ prefix, maxIterations: -1 }, 'maxIterations: expected an integer from 0 to 2147483647, received -1'],
  ])('refuses %j', (request, message) => {
    expect(() => denoise(model, request)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }),
    );
  });
  test('can be aborted', () => {
    expect(() => denoise(model, { prefix, cancelled: true })).toThrow(
      expect.objectContaining({ code: 'ERR_ABORTED' }),
    );
  });
});

describe('score', () => {
  test('a long text in chunks gives the scores of its beginning', () => {
    const tokens = Array.from({ length: 700 }, (_, i) => (i * i + 3 * i) % 24);
    const engine = randomModel({ vocabularySize: 24, contextLength: 1000 }, 3);
    const all = score(engine, tokens);
    expect(all).toHaveLength(699);
    for (const length of [2, 33, 34, 257, 258, 300])
      expect(score(engine, tokens.slice(0, length))).toEqual(all.slice(0, length - 1));
    expect(all.every((value) => value < 0)).toBe(true);
  });
  test('one token has nothing to score', () => {
    expect(score(model, [5])).toEqual([]);
  });
  test('refuses what it cannot score', () => {
    expect(() => score(model, [])).toThrow('tokens: expected at least one token, received none');
    expect(() => score(model, [1, 24])).toThrow('tokens[1]: expected a token id from 0 to 23, received 24');
    expect(() => score(model, new Array<number>(65).fill(1))).toThrow(
      'tokens: expected at most 64 tokens (the context length), received 65',
    );
    expect(() => score(model, [1, 2, 3], true)).toThrow(expect.objectContaining({ code: 'ERR_ABORTED' }));
  });
});
