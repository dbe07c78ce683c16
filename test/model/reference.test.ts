import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, textOf } from '../support/decoding';
import { type TestModel, folderModel, modelFolder, referenceModels } from '../support/models';
import { Safetensors } from '../support/safetensors';
import { describeShared, loadTesting } from '../support/testing';

const native = loadTesting();
interface Reference {
  prompts: Array<{ tokens: number[]; greedy: number[] }>;
  tree: { prefix_prompt: number; tokens: number[]; parents: number[]; argmax: number[] };
  float32_largest_difference: { logits: number; hidden: number };
}
interface Pass {
  tokens: number[];
  parents: number[];
  keep: number[];
  hidden?: boolean;
}
const run = (model: TestModel, passes: Pass[]) =>
  native.runPasses!({ model, passes }) as Array<{ logits: Float32Array; hidden: Float32Array }>;
const chain = (tokens: number[]): Pass => ({
  tokens,
  parents: tokens.map((_, i) => i - 1),
  keep: tokens.map((_, i) => i),
  hidden: true,
});

function largestDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < found.length; ++i) {
    const difference = Math.abs(found[i]! - expected[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

describeShared('reference models', () => {
  describe.each(referenceModels)('%s', (name) => {
    let model: TestModel;
    let reference: Reference;
    let numbers: Safetensors;
    beforeAll(() => {
      model = folderModel(modelFolder(name));
      reference = JSON.parse(readFileSync(join(modelFolder(name), 'reference.json'), 'utf8')) as Reference;
      numbers = new Safetensors(join(modelFolder(name), 'reference.safetensors'));
    });
    const near = (found: { logits: Float32Array; hidden: Float32Array }, key: string) => {
      const { logits, hidden } = reference.float32_largest_difference;
      expect(largestDifference(found.hidden, numbers.values(`${key}.hidden`))).toBeLessThan(5 * hidden);
      expect(largestDifference(found.logits, numbers.values(`${key}.logits`))).toBeLessThan(5 * logits);
    };

    test('logits and hidden states of every prompt', () => {
      reference.prompts.forEach(({ tokens }, i) => near(run(model, [chain(tokens)])[0]!, `prompt.${i}`));
    });
    test('logits and hidden states of a tree behind a prefix', () => {
      const { prefix_prompt: prefix, tokens, parents, argmax } = reference.tree;
      const passes = [chain(reference.prompts[prefix]!.tokens), { tokens, parents, keep: [], hidden: true }];
      const found = run(model, passes)[1]!;
      near(found, 'tree');
      const vocabulary = found.logits.length / tokens.length;
      const best = tokens.map((_, node) => {
        const row = found.logits.subarray(node * vocabulary, (node + 1) * vocabulary);
        return row.indexOf(Math.max(...row));
      });
      expect(best).toEqual(argmax);
    });
    test('greedy text', () => {
      for (const { tokens, greedy } of reference.prompts)
        expect(textOf(decode(model, { prompt: tokens, maxNewTokens: greedy.length }))).toEqual(greedy);
    });
    test('score', () => {
      reference.prompts.forEach(({ tokens }, i) => {
        const found = native.score!({ model, tokens }) as number[];
        const logits = numbers.values(`prompt.${i}.logits`);
        const vocabulary = logits.length / tokens.length;
        const expected = tokens.slice(1).map((token, t) => {
          const row = Array.from(logits.slice(t * vocabulary, (t + 1) * vocabulary));
          const highest = Math.max(...row);
          return (
            row[token]! - highest - Math.log(row.reduce((sum, value) => sum + Math.exp(value - highest), 0))
          );
        });
        expect(largestDifference(found, expected)).toBeLessThan(
          10 * reference.float32_largest_difference.logits,
        );
      });
    });
  });
});

describeShared('stories260K', () => {
  test('the text of its README', () => {
    const readme = readFileSync(join(modelFolder('stories260K'), 'README.md'), 'utf8');
    const expected = readme
      .slice(readme.indexOf('200 new ids'))
      .match(/\b\d+\b/g)!
      .slice(1)
      .map(Number);
    expect(expected).toHaveLength(200);
    const model = folderModel(modelFolder('stories260K'));
    expect(textOf(decode(model, { prompt: [1], maxNewTokens: 200 }))).toEqual(expected);
  });
});
