/** docs/exactness.md, bit for bit: what a position computes depends on its own tokens alone. */
import fc from 'fast-check';
import {
  type DrawnModel,
  drawnModel,
  drawnParents,
  drawnText,
  modelOf,
  modulo,
} from '../support/arbitraries';
import type { TestModel } from '../support/models';
import { loadTesting } from '../support/testing';

const native = loadTesting();
interface Pass {
  tokens: number[];
  parents: number[];
  keep: number[];
}
const run = (model: TestModel, passes: Pass[]): Float32Array[] =>
  (native.runPasses!({ model, passes }) as Array<{ logits: Float32Array }>).map(({ logits }) => logits);
const chain = (tokens: number[]): Pass => ({
  tokens,
  parents: tokens.map((_, i) => i - 1),
  keep: tokens.map((_, i) => i),
});
/** Logits of every position, one pass for each of the given sizes, the last one for what is left. */
function logitsInChunks(model: TestModel, tokens: number[], sizes: number[]): Float32Array {
  const passes: Pass[] = [];
  let first = 0;
  for (const size of [...sizes, tokens.length]) {
    if (first < tokens.length) passes.push(chain(tokens.slice(first, first + size)));
    first += size;
  }
  const parts = run(model, passes);
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
  return all;
}
const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
function expectSameBits(found: Float32Array, expected: Float32Array) {
  expect(found.length).toBe(expected.length);
  if (!bits(found).equals(bits(expected))) expect(found).toEqual(expected);
  expect(bits(found).equals(bits(expected))).toBe(true);
}
const oneByOne = (model: TestModel, tokens: number[]) =>
  logitsInChunks(model, tokens, new Array<number>(tokens.length).fill(1));

// Long enough to cross blocks of attention, wherever their borders lie.
const longText = drawnText(1, 200);

test('a text in any chunks gives the logits of one token after another', () => {
  fc.assert(
    fc.property(
      drawnModel,
      longText,
      fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 12 }),
      (drawn, text, sizes) => {
        const model = modelOf(drawn);
        const tokens = modulo(text, drawn.shape);
        expectSameBits(logitsInChunks(model, tokens, sizes), oneByOne(model, tokens));
      },
    ),
    { numRuns: 80 },
  );
});

test('a node of a tree gives the logits of its path alone, and the rows that are kept are those of the path', () => {
  fc.assert(
    fc.property(
      drawnModel,
      drawnText(0, 170),
      drawnParents(40),
      drawnText(40, 40),
      fc.nat(39),
      (drawn, text, parents, draft, choice) => {
        const model = modelOf(drawn);
        const prefix = modulo(text, drawn.shape);
        const tokens = modulo(draft.slice(0, parents.length), drawn.shape);
        const pathOf = (node: number): number[] => (node < 0 ? [] : [...pathOf(parents[node]!), node]);
        const chosen = pathOf(choice % parents.length);
        const before = prefix.length > 0 ? [chain(prefix)] : [];
        const tail = chain(tokens.slice(0, 3));
        const passes = run(model, [...before, { tokens, parents, keep: chosen }, tail]);
        const vocabulary = drawn.shape.vocabularySize!;
        const tree = passes[before.length]!;

        const path = chosen.map((node) => tokens[node]!);
        const alone = oneByOne(model, [...prefix, ...path, ...tail.tokens]).subarray(
          prefix.length * vocabulary,
        );
        chosen.forEach((node, depth) =>
          expectSameBits(
            tree.subarray(node * vocabulary, (node + 1) * vocabulary),
            alone.subarray(depth * vocabulary, (depth + 1) * vocabulary),
          ),
        );
        expectSameBits(passes[before.length + 1]!, alone.subarray(path.length * vocabulary));
      },
    ),
    { numRuns: 120 },
  );
});

test('the number of threads does not matter', () => {
  fc.assert(
    fc.property(drawnModel, drawnText(1, 150), (drawn, text) => {
      const tokens = modulo(text, drawn.shape);
      const withThreads = (threads: number): DrawnModel => ({
        ...drawn,
        engine: { ...drawn.engine, threads },
      });
      const [one, two, three] = [1, 2, 3].map(
        (threads) => run(modelOf(withThreads(threads)), [chain(tokens)])[0]!,
      );
      expectSameBits(two!, one!);
      expectSameBits(three!, one!);
    }),
    { numRuns: 40 },
  );
});

test('instruction sets differ by rounding alone', () => {
  fc.assert(
    fc.property(drawnModel, drawnText(1, 60), (drawn, text) => {
      const tokens = modulo(text, drawn.shape);
      const plain: DrawnModel = { ...drawn, engine: { ...drawn.engine, instructions: 'generic' } };
      const expected = run(modelOf(plain), [chain(tokens)])[0]!;
      const found = run(modelOf(drawn), [chain(tokens)])[0]!;
      const scale = Math.max(...expected.map(Math.abs));
      found.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-3 * (1 + scale)));
    }),
    { numRuns: 30 },
  );
});
