import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel, loadModel, score, type Model } from '../../ts';
import { internalsOf } from '../../ts/model/model';
import { errorOf } from '../support/folders';
import { describeShared, sharedFolder } from '../support/testing';

let model: Model;
beforeAll(async () => {
  model = await createModel(
    {
      vocab_size: 40,
      hidden_size: 32,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      max_position_embeddings: 32,
    },
    { seed: 5 },
  );
});
afterAll(() => model.dispose());

test('log softmax of the logits at every token', async () => {
  const tokens = Int32Array.of(4, 8, 15, 16, 23);
  const { module, native } = internalsOf(model);
  const chain = Int32Array.from(tokens, (_, index) => index - 1);
  const logits = await native.logits(new Int32Array(), tokens, chain, 32, module.createCancelToken());
  const expected = Array.from({ length: tokens.length - 1 }, (_, index) => {
    const row = Array.from(logits.subarray(index * 40, (index + 1) * 40));
    const sum = row.reduce((total, value) => total + Math.exp(value), 0);
    return row[tokens[index + 1]!]! - Math.log(sum);
  });
  const { logProbabilities, perplexity, tokens: scored } = await score(model, { tokens });
  expect(scored).toEqual(tokens);
  expect(logProbabilities).toHaveLength(4);
  logProbabilities.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
  const mean = expected.reduce((total, value) => total + value, 0) / 4;
  expect(perplexity).toBeCloseTo(Math.exp(-mean), 4);
});

test.each<[object, string]>([
  [{}, 'exactly one of text or tokens'],
  [{ text: 'a', tokens: [1, 2] }, 'exactly one of text or tokens'],
  [{ tokens: [] }, 'at least'],
  [{ tokens: [1] }, 'at least'],
  [{ tokens: [1, 40] }, '40'],
  [{ tokens: Array(33).fill(1) }, '32'],
  [{ token: [1, 2] }, 'unknown option "token" (did you mean "tokens"?)'],
])('refused: %j', async (options, message) => {
  const error = await errorOf(() => score(model, options));
  expect(error.code).toBe('ERR_INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test('text needs a tokenizer, an abort is an error', async () => {
  expect(await errorOf(() => score(model, { text: 'a' }))).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  const signal = AbortSignal.abort();
  expect(await errorOf(() => score(model, { tokens: [1, 2], signal }))).toMatchObject({
    code: 'ERR_ABORTED',
  });
});

describeShared('SmolLM2 on GSM8K (MSN_SMOLLM2)', () => {
  const folder = process.env.MSN_SMOLLM2 ?? '';
  (folder === '' ? test.skip : test)(
    'mean negative log-likelihood of the first rows',
    async () => {
      const { plain_text } = JSON.parse(
        readFileSync(join(sharedFolder, 'reference', 'smollm2-135m', 'reference.json'), 'utf8'),
      ) as { plain_text: { rows: Array<{ tokens: number; mean_nll: number }> } };
      const lines = readFileSync(join(sharedFolder, 'data', 'gsm8k-train.jsonl'), 'utf8').split('\n');
      await using real = await loadModel(folder, { dtype: 'f32' });
      for (const [index, row] of plain_text.rows.slice(0, 4).entries()) {
        const { question, answer } = JSON.parse(lines[index]!) as { question: string; answer: string };
        const { logProbabilities } = await score(real, { text: `${question}\n${answer}` });
        const mean = logProbabilities.reduce((total, value) => total - value, 0) / logProbabilities.length;
        expect([row.tokens, row.tokens - 1]).toContain(logProbabilities.length);
        expect(mean).toBeCloseTo(row.mean_nll, 4);
      }
    },
    60_000,
  );
});
