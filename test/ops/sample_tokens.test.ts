import fc from 'fast-check';

import { drawnParents } from '../support/arbitraries';
import { onEveryEngine, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { sample, sampleTokens } = loadTesting();

interface Options {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
}
interface Tree {
  logits: Float32Array;
  tokens: number[];
  parents: number[];
  /** Distinct tokens of the text; its length is knownCount. */
  known: number[];
  knownCount: number;
}

const depthsOf = (parents: number[]): number[] => {
  const depths: number[] = [];
  for (const parent of parents) depths.push(parent < 0 ? 0 : depths[parent]! + 1);
  return depths;
};

function run(engine: object, { logits, tokens, parents, known, knownCount }: Tree, options: Options) {
  const vocabulary = logits.length / tokens.length;
  const isKnown = Uint8Array.from({ length: vocabulary }, (_, token) => (known.includes(token) ? 1 : 0));
  const choices = i32(tokens.map(() => -1));
  sampleTokens!({
    ...{ ...engine, ...options, logits: f32(logits, tokens.length, vocabulary) },
    ...{ tokens: i32(tokens), parents: i32(parents), depths: i32(depthsOf(parents)) },
    ...{ knownCount: i32([knownCount]), isKnown: { data: isKnown, shape: [vocabulary] }, choices },
  });
  return [...choices.data];
}

/** The host's sampler, in double, node by node. */
function host({ logits, tokens, parents, known, knownCount }: Tree, options: Options): number[] {
  const vocabulary = logits.length / tokens.length;
  return depthsOf(parents).map((depth, node) => {
    const path: number[] = [];
    for (let above = node; above >= 0; above = parents[above]!) path.unshift(tokens[above]!);
    const row = logits.subarray(node * vocabulary, (node + 1) * vocabulary);
    return sample!({ ...options, logits: f32(row), known, path, index: knownCount + depth }) as number;
  });
}

const drawnOptions = fc.record({
  temperature: fc.constantFrom(0, 0.1, 0.7, 1, 1.7, 30),
  topK: fc.constantFrom(0, 1, 3, 50),
  topP: fc.constantFrom(1, 0.9, 0.31, 1e-9),
  minP: fc.constantFrom(0, 0.0517, 1),
  repetitionPenalty: fc.constantFrom(1, 1.2, 0.9),
  seed: fc.maxSafeNat(),
});
const drawnTree = fc
  .record({
    parents: drawnParents(20),
    vocabulary: fc.constantFrom(1, 7, 61, 500),
    spread: fc.constantFrom(0.1, 4, 40),
    known: fc.array(fc.nat(499), { maxLength: 20 }),
    knownCount: fc.integer({ min: 1, max: 1000 }),
    seed: fc.nat(1000),
  })
  .map(({ parents, vocabulary, spread, known, seed, ...drawn }): Tree => {
    const next = randomNumbers(seed);
    const logits = Float32Array.from({ length: parents.length * vocabulary }, () => spread * next());
    const tokens = parents.map(() => Math.floor(((next() + 1) / 2) * vocabulary));
    return { ...drawn, parents, logits, tokens, known: [...new Set(known.map((t) => t % vocabulary))] };
  });

describe('sampling the nodes of a tree', () => {
  test('draws the tokens of the host’s sampler', () => {
    fc.assert(
      fc.property(drawnTree, drawnOptions, (tree, options) => {
        const expected = host(tree, options);
        onEveryEngine((engine) => expect(run(engine, tree, options)).toEqual(expected));
      }),
      { numRuns: 200 },
    );
  });

  const alone = (row: number[], options: Options, knownCount = 7) =>
    run(
      {},
      { logits: Float32Array.from(row), tokens: [0], parents: [-1], known: [], knownCount },
      { ...options },
    )[0]!;
  const frequencies = (row: number[], options: Options, draws: number) => {
    const counts = row.map(() => 0);
    for (let index = 1; index <= draws; ++index) counts[alone(row, options, index)]! += 1 / draws;
    return counts;
  };

  test('has the probabilities of the softmax', () => {
    const row = [0.3, -1, 2, 0.3];
    const weights = row.map((logit) => Math.exp(logit / 0.7));
    const total = weights.reduce((a, b) => a + b);
    frequencies(row, { temperature: 0.7, seed: 5 }, 20000).forEach((frequency, token) =>
      expect(frequency).toBeCloseTo(weights[token]! / total, 1.8),
    );
  });

  test('a share that equal weights reach exactly needs no further token', () => {
    expect(frequencies([1, 1, 1, 1], { temperature: 1, topP: 0.5 }, 100).map(Math.sign)).toEqual([
      1, 1, 0, 0,
    ]);
  });

  test('takes the lower id on a tie, and the highest where nothing can be drawn', () => {
    const most = 3.4e38;
    expect(alone([1, 3, 3, 2], {})).toBe(1);
    expect(alone([NaN, 1, 2], {})).toBe(2);
    expect(alone([NaN, NaN], { temperature: 1 })).toBe(0);
    expect(alone([0, Infinity, Infinity], { temperature: 1 })).toBe(1);
    expect(alone([-Infinity, -Infinity], { temperature: 1 })).toBe(0);
    expect(alone([-most, most], { temperature: 1 })).toBe(1);
    expect(alone([-0, 0], {})).toBe(0);
    expect([1, 2, 3, 4].map((index) => alone([2, 1.9999], { temperature: 1e-300 }, index))).toEqual([
      0, 0, 0, 0,
    ]);
    expect(frequencies([9, 0], { temperature: 1e300 }, 100).every((share) => share > 0.2)).toBe(true);
  });

  test('refuses what does not fit', () => {
    const withFewKnown = {
      ...{ logits: f32([1, 2], 1, 2), tokens: i32([0]), parents: i32([-1]), depths: i32([0]) },
      ...{ knownCount: i32([1]), isKnown: { data: Uint8Array.of(1), shape: [1] }, choices: i32([0]) },
    };
    expect(() => sampleTokens!(withFewKnown)).toThrow('is_known');
    const tree = { logits: Float32Array.of(1, 2), tokens: [0, 0], known: [], knownCount: 1 };
    expect(() => run({}, { ...tree, parents: [-1, 1] }, {})).toThrow('sample_tokens.parents');
  });
});
