/** docs/exactness.md, bit for bit: what a position computes depends on its own tokens alone. */
import fc from 'fast-check';
import { type DrawnModel, drawnModel, drawnText, modelOf, modulo } from '../support/arbitraries';
import { chain, expectChunksToAgree, expectSameBits, expectTreesToAgree, run } from '../support/exactness';

test('a text in any chunks gives the logits of one token after another', () => {
  expectChunksToAgree(drawnModel, { runs: 80, longest: 200, nodes: 0 });
});

test('a node of a tree gives the logits of its path alone, and the rows that are kept are those of the path', () => {
  expectTreesToAgree(drawnModel, { runs: 120, longest: 170, nodes: 40 });
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
