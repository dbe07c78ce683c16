/**
 * The reference models on the CUDA engine. Its activations are bf16 (a relative step of 2^-8), so its numbers lie near
 * those of the CPU engine, which test/model/reference.test.ts holds against the reference itself, and a text may part
 * from the reference text where two tokens are nearly as likely.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeCudaShared } from '../support/cuda';
import { decode, nodeTree, textOf } from '../support/decoding';
import { chain, run } from '../support/exactness';
import { folderModel, modelFolder, referenceModels, type TestModel } from '../support/models';

interface Reference {
  prompts: Array<{ tokens: number[]; greedy: number[] }>;
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

describeCudaShared('reference models', () => {
  describe.each(referenceModels)('%s', (name) => {
    let cpu: TestModel;
    let cuda: TestModel;
    let reference: Reference;
    beforeAll(() => {
      cpu = folderModel(modelFolder(name), { dtype: 'bf16' });
      cuda = folderModel(modelFolder(name), { device: 'cuda', dtype: 'bf16' });
      reference = JSON.parse(readFileSync(join(modelFolder(name), 'reference.json'), 'utf8')) as Reference;
    });

    test('logits of a prompt, and of a tree behind it', () => {
      const { prefix_prompt: prefix, tokens, parents } = reference.tree;
      const passes = [chain(reference.prompts[prefix]!.tokens), { tokens, parents, keep: [] }];
      const expected = run(cpu, passes);
      run(cuda, passes).forEach((logits, i) =>
        expect(relativeDifference(logits, expected[i]!)).toBeLessThan(tolerance),
      );
    });

    test('the greedy text is the reference text, but for a token nearly as likely', () => {
      const { tokens: prompt, greedy } = reference.prompts[0]!;
      const expected = greedy.slice(0, 16);
      const text = textOf(decode(cuda, { prompt, maxNewTokens: expected.length, ...nodeTree(12) }));
      const parting = text.findIndex((token, i) => token !== expected[i]);
      if (parting < 0) return;
      const known = [...prompt, ...expected.slice(0, parting)];
      const all = run(cpu, [chain(known)])[0]!;
      const logits = all.subarray(all.length - all.length / known.length);
      const scale = Math.sqrt(logits.reduce((sum, logit) => sum + logit ** 2, 0) / logits.length);
      const behind = (logits[expected[parting]!]! - logits[text[parting]!]!) / scale;
      expect(behind).toBeLessThan(2 * tolerance);
    });
  });
});
