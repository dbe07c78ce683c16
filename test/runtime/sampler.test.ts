import fc from 'fast-check';
import { f32, loadTesting } from '../support/testing';

const native = loadTesting();
interface Options {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
}
const sample = (logits: number[], options: Options, index = 7, known: number[] = [], path: number[] = []) =>
  native.sample!({ ...options, logits: f32(logits), known, path, index }) as number;

/** How often each token is drawn over many indices. */
function frequencies(logits: number[], options: Options, draws = 20000): number[] {
  const counts = logits.map(() => 0);
  for (let index = 0; index < draws; ++index) counts[sample(logits, options, index)]! += 1 / draws;
  return counts;
}

describe('Sampler', () => {
  test('temperature 0 takes the highest logit, the lowest id on a tie, never NaN', () => {
    expect(sample([1, 3, 3, 2], { temperature: 0 })).toBe(1);
    expect(sample([NaN, 1, 2], { temperature: 0 })).toBe(2);
    expect(sample([NaN, NaN], { temperature: 1 })).toBe(0);
  });
  test('the penalty counts known tokens and the path, each once', () => {
    const options = { temperature: 0, repetitionPenalty: 1.5 };
    expect(sample([3, 2.1, 1], options)).toBe(0);
    expect(sample([3, 2.1, 1], options, 7, [0, 0, 0])).toBe(1);
    expect(sample([3, 2.1, 1], options, 7, [], [0, 0])).toBe(1);
    expect(sample([3, 1.9, 1], options, 7, [0], [0])).toBe(0);
    expect(sample([-1, -1.4, -9], options, 7, [0])).toBe(1);
    expect(sample([-1, -1.6, -9], options, 7, [0])).toBe(0);
  });
  test('draws with the probabilities of the softmax', () => {
    const logits = [0.3, -1, 2, 0.3];
    const found = frequencies(logits, { temperature: 0.7, seed: 5 });
    const weights = logits.map((logit) => Math.exp(logit / 0.7));
    const total = weights.reduce((a, b) => a + b);
    found.forEach((frequency, token) => expect(frequency).toBeCloseTo(weights[token]! / total, 1.8));
  });
  test('topK, topP and minP cut the tail', () => {
    const logits = [0.5, 0.25, 0.15, 0.1].map(Math.log);
    const drawn = (options: Options) =>
      frequencies(logits, { temperature: 1, ...options }, 2000).flatMap((frequency, token) =>
        frequency > 0 ? [token] : [],
      );
    expect(drawn({})).toEqual([0, 1, 2, 3]);
    expect(drawn({ topK: 2 })).toEqual([0, 1]);
    expect(drawn({ topP: 0.74 })).toEqual([0, 1]);
    expect(drawn({ topP: 0.76 })).toEqual([0, 1, 2]);
    expect(drawn({ topP: 1e-9 })).toEqual([0]);
    expect(drawn({ minP: 0.4 })).toEqual([0, 1]);
    expect(drawn({ minP: 0.25 })).toEqual([0, 1, 2]);
    expect(drawn({ topK: 3, topP: 0.8, minP: 0.4 })).toEqual([0, 1]);
    expect(drawn({ topK: 100 })).toEqual([0, 1, 2, 3]);
  });
  test('what is left is renormalised', () => {
    const logits = [0.5, 0.25, 0.15, 0.1].map(Math.log);
    const found = frequencies(logits, { temperature: 1, topK: 2, seed: 2 });
    expect(found[0]).toBeCloseTo(2 / 3, 1.8);
  });
  test('a draw is a function of seed, index and logits', () => {
    const logits = Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const text = (seed: number) =>
      Array.from({ length: 40 }, (_, index) => sample(logits, { temperature: 1, seed }, index));
    expect(text(1)).toEqual(text(1));
    expect(text(1)).not.toEqual(text(2));
    expect(text(1)).not.toEqual(text(2 ** 32 + 1));
  });
  test('equals the paragraph of docs/method.md', () => {
    const weights = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        weights,
        fc.integer({ min: 0, max: 25 }),
        fc.integer({ min: 1, max: 19 }),
        fc.integer({ min: 0, max: 9 }),
        fc.nat(1000),
        (eighths, topK, topP, minP, index) => {
          const logits = eighths.map((value) => value / 8);
          // Odd twentieths, so that no cut falls on a sum by rounding alone.
          const options = {
            temperature: 0.75,
            topK,
            topP: topP / 20 + 0.0123,
            minP: minP / 10 + 0.0123,
            seed: 11,
          };
          const found = sample(logits, options, index);
          expect(reference(logits, options)).toContain(found);
        },
      ),
      { numRuns: 300 },
    );
  });
  test.each<[Options, string]>([
    [{ temperature: -1 }, 'sampling.temperature: expected a number of at least 0, received -1'],
    [{ temperature: NaN }, 'sampling.temperature: expected a number of at least 0, received nan'],
    [{ topK: -3 }, 'sampling.topK: expected an integer of at least 0, received -3'],
    [{ topP: 0 }, 'sampling.topP: expected a number above 0, at most 1, received 0'],
    [{ topP: 1.5 }, 'sampling.topP: expected a number above 0, at most 1, received 1.5'],
    [{ minP: 2 }, 'sampling.minP: expected a number from 0 to 1, received 2'],
    [{ repetitionPenalty: 0 }, 'sampling.repetitionPenalty: expected a number above 0, received 0'],
  ])('refuses %j', (options, message) => {
    expect(() => sample([1, 2], options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }),
    );
  });
});

/** The tokens that are left to draw from. */
function reference(
  logits: number[],
  options: Required<Pick<Options, 'temperature' | 'topK' | 'topP' | 'minP'>>,
): number[] {
  let order = logits.map((_, token) => token).sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (options.topK > 0) order = order.slice(0, options.topK);
  const probabilities = () => {
    const exponentials = order.map((token) => Math.exp(logits[token]! / options.temperature));
    const total = exponentials.reduce((a, b) => a + b);
    return exponentials.map((value) => value / total);
  };
  let reached = 0;
  const sums = probabilities().map((probability) => (reached += probability));
  order = order.slice(0, sums.findIndex((sum) => sum >= options.topP) + 1 || order.length);
  const kept = probabilities();
  return order.filter((_, i) => kept[i]! >= options.minP * kept[0]!);
}
