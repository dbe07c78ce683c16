/** docs/exactness.md, bit for bit: what a position computes depends on its own tokens alone. For every engine. */
import fc from 'fast-check';
import { type DrawnModel, drawnParents, drawnText, modelOf, modulo } from './arbitraries';
import type { TestModel } from './models';
import { loadTesting } from './testing';

const native = loadTesting();
export interface Pass {
  tokens: number[];
  parents: number[];
  keep: number[];
}
export const run = (model: TestModel, passes: Pass[]): Float32Array[] =>
  (native.runPasses!({ model, passes }) as Array<{ logits: Float32Array }>).map(({ logits }) => logits);
export const chain = (tokens: number[]): Pass => ({
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
export function expectSameBits(found: Float32Array, expected: Float32Array) {
  expect(found.length).toBe(expected.length);
  if (!bits(found).equals(bits(expected))) expect(found).toEqual(expected);
  expect(bits(found).equals(bits(expected))).toBe(true);
}
const oneByOne = (model: TestModel, tokens: number[]) =>
  logitsInChunks(model, tokens, new Array<number>(tokens.length).fill(1));

/** How large the cases are: the host shim computes some thousand times slower than the CPU engine. */
export interface Size {
  runs: number;
  /** Tokens of a text; more than a block of attention, so that borders are crossed. */
  longest: number;
  /** Nodes of a tree. */
  nodes: number;
}

/** A text in any chunks gives the logits of one token after another. */
export function expectChunksToAgree(model: fc.Arbitrary<DrawnModel>, { runs, longest }: Size): void {
  const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 12 });
  fc.assert(
    fc.property(model, drawnText(1, longest), sizes, (drawn, text, chunks) => {
      const tokens = modulo(text, drawn.shape);
      const found = logitsInChunks(modelOf(drawn), tokens, chunks);
      expectSameBits(found, oneByOne(modelOf(drawn), tokens));
    }),
    { numRuns: runs },
  );
}

/** A node of a tree gives the logits of its path alone, and the rows that are kept are those of the path. */
export function expectTreesToAgree(model: fc.Arbitrary<DrawnModel>, { runs, longest, nodes }: Size): void {
  const draft = drawnText(nodes, nodes);
  fc.assert(
    fc.property(
      model,
      drawnText(0, longest),
      drawnParents(nodes),
      draft,
      fc.nat(nodes - 1),
      (drawn, text, parents, draftText, choice) => {
        const engine = modelOf(drawn);
        const prefix = modulo(text, drawn.shape);
        const tokens = modulo(draftText.slice(0, parents.length), drawn.shape);
        const pathOf = (node: number): number[] => (node < 0 ? [] : [...pathOf(parents[node]!), node]);
        const chosen = pathOf(choice % parents.length);
        const before = prefix.length > 0 ? [chain(prefix)] : [];
        const tail = chain(tokens.slice(0, 3));
        const passes = run(engine, [...before, { tokens, parents, keep: chosen }, tail]);
        const vocabulary = drawn.shape.vocabularySize!;
        const tree = passes[before.length]!;

        const path = chosen.map((node) => tokens[node]!);
        const alone = oneByOne(engine, [...prefix, ...path, ...tail.tokens]).subarray(
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
    { numRuns: runs },
  );
}
