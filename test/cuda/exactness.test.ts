/** docs/exactness.md on the CUDA engine: the same bits alone, in a chain, in a tree and after compaction. */
import fc from 'fast-check';
import { drawnModelOn } from '../support/arbitraries';
import { describeCuda } from '../support/cuda';
import { chain, expectChunksToAgree, expectTreesToAgree, run } from '../support/exactness';
import { randomModel } from '../support/models';

describeCuda('logits', () => {
  const drawnModel = drawnModelOn(
    fc.record({
      device: fc.constant('cuda' as const),
      dtype: fc.constantFrom('bf16' as const, 'int8' as const),
    }),
  );

  test('a text in any chunks gives the logits of one token after another', () => {
    expectChunksToAgree(drawnModel, { runs: 8, longest: 150, nodes: 0 });
  });

  test('a node of a tree gives the logits of its path alone, and the rows that are kept are those of the path', () => {
    expectTreesToAgree(drawnModel, { runs: 10, longest: 130, nodes: 30 });
  });

  test('a tree deeper than the attention’s closed blocks allow is refused, a chain is not', () => {
    const model = randomModel({}, 1, { device: 'cuda', dtype: 'bf16' });
    const tokens = new Array<number>(36).fill(3);
    const deep = { ...chain(tokens), parents: tokens.map((_, i) => (i === 35 ? 0 : i - 1)) };
    expect(() => run(model, [deep])).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message:
          'parents: expected a chain, or a tree of nodes at most 32 below the first, received one 33 below it',
      }),
    );
    expect(() => run(model, [chain(tokens)])).not.toThrow();
  });
});
