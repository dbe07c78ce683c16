/**
 * SmolLM2-135M-Instruct against transformers, where MSN_SMOLLM2 names its folder. MSN_SMOLLM2_ALL=1 runs all 16
 * continuations instead of some.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, nodeTree, textOf } from '../support/decoding';
import { type TestModel, folderModel } from '../support/models';
import { hasShared, loadTesting, sharedFolder } from '../support/testing';

interface Reference {
  prompts: Array<{
    prompt_ids: number[];
    greedy_ids: number[];
    top_logits?: Array<{ generated: number; ids: number[]; logits: number[] }>;
  }>;
  plain_text: { rows: Array<{ tokens: number; mean_nll: number }> };
}

const native = loadTesting();
const all = process.env.MSN_SMOLLM2_ALL === '1';
const folder = process.env.MSN_SMOLLM2 ?? '';
const describeSmollm2 = hasShared && existsSync(join(folder, 'model.safetensors')) ? describe : describe.skip;

describeSmollm2('SmolLM2-135M-Instruct (MSN_SMOLLM2)', () => {
  let reference: Reference;
  beforeAll(() => {
    const file = join(sharedFolder, 'reference/smollm2-135m/reference.json');
    reference = JSON.parse(readFileSync(file, 'utf8')) as Reference;
  });

  // The file is bf16 and activations stay f32, so both give the text of f32.
  describe.each(['bf16', 'f32'] as const)('weights in %s', (dtype) => {
    let model: TestModel;
    beforeAll(() => {
      model = folderModel(folder, { dtype, threads: 2 });
    });

    test('greedy continuations, several tokens a step', () => {
      const short = reference.prompts.filter(({ prompt_ids: prompt }) => prompt.length < 55).slice(0, 2);
      for (const { prompt_ids: prompt, greedy_ids: expected } of all ? reference.prompts : short) {
        const steps = decode(model, { prompt, maxNewTokens: 96, endOfSequence: [2], ...nodeTree(16) });
        expect(textOf(steps)).toEqual(expected);
      }
    }, 240000);

    test('the highest logits behind a prompt', () => {
      const { prompt_ids: tokens, top_logits: tops } = reference.prompts.find(
        (prompt) => prompt.top_logits !== undefined,
      )!;
      const last = tokens.length - 1;
      const chain = { tokens: tokens.slice(0, last), parents: tokens.slice(1).map((_, i) => i - 1) };
      const [, found] = native.runPasses!({
        model,
        passes: [
          { ...chain, keep: chain.tokens.map((_, i) => i) },
          { tokens: [tokens[last]], parents: [-1], keep: [] },
        ],
      }) as Array<{ logits: Float32Array }>;
      const { ids, logits } = tops![0]!;
      ids.forEach((id, i) => expect(Math.abs(found!.logits[id]! - logits[i]!)).toBeLessThan(1e-3));
      expect([...found!.logits].filter((logit) => logit > logits.at(-1)! + 1e-3)).toHaveLength(
        ids.length - 1,
      );
    }, 240000);

    test('perplexity of plain text', async () => {
      const { Tokenizer } = await import('tokenizers');
      const tokenizer = Tokenizer.fromFile(join(folder, 'tokenizer.json'));
      const rows = readFileSync(join(sharedFolder, 'data/gsm8k-train.jsonl'), 'utf8').split('\n');
      const expected = reference.plain_text.rows.slice(0, all ? 64 : 3);
      for (const [i, { tokens: count, mean_nll: mean }] of expected.entries()) {
        const { question, answer } = JSON.parse(rows[i]!) as { question: string; answer: string };
        const tokens = (await tokenizer.encode(`${question}\n${answer}`, null)).getIds();

        const scores = native.score!({ model, tokens }) as number[];
        expect(scores).toHaveLength(count);
        expect(-scores.reduce((sum, value) => sum + value, 0) / scores.length).toBeCloseTo(mean, 4);
      }
    }, 240000);
  });
});
