/** docs/exactness.md on the CUDA engine: the same bits alone, in a chain, in a tree and after compaction. */
import fc from 'fast-check';
import { drawnModelOn } from '../support/arbitraries';
import { describeCuda } from '../support/cuda';
import { expectChunksToAgree, expectTreesToAgree } from '../support/exactness';

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
});
