/**
 * Logits of a prompt and of a tree behind it, of the reference models, beside those of the CPU engine, which
 * test/model/reference.test.ts holds against the reference itself. Activations are bf16 here, f32 there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeCudaShared } from '../support/cuda';
import { chain, run } from '../support/exactness';
import { folderModel, modelFolder, referenceModels } from '../support/models';

interface Reference {
  prompts: Array<{ tokens: number[] }>;
  tree: { prefix_prompt: number; tokens: number[]; parents: number[] };
}

/** Root mean square of the differences, over that of the expected numbers. */
function relativeDifference(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const square = (of: (i: number) => number) => expected.reduce((sum, _, i) => sum + of(i) ** 2, 0);
  return Math.sqrt(square((i) => found[i]! - expected[i]!) / square((i) => expected[i]!));
}
// Found: 0.009 to 0.021.
const tolerance = 0.03;

describeCudaShared('logits of a prompt, and of a tree behind it', () => {
  test.each(referenceModels)('%s', (name) => {
    const folder = modelFolder(name);
    const reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as Reference;
    const { prefix_prompt: prefix, tokens, parents } = reference.tree;
    const passes = [chain(reference.prompts[prefix]!.tokens), { tokens, parents, keep: [] }];
    const expected = run(folderModel(folder, { dtype: 'bf16' }), passes);
    run(folderModel(folder, { device: 'cuda', dtype: 'bf16' }), passes).forEach((logits, i) =>
      expect(relativeDifference(logits, expected[i]!)).toBeLessThan(tolerance),
    );
  });
});
