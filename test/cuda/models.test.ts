/**
 * Models on the CUDA engine through the real facade, against the reference's float64 numbers and the CPU engine. The
 * CUDA engine rounds weights and activations to bf16, so a near tie may go the other way: every token of a greedy text
 * must have a logit of the f32 CPU engine, behind the same text, within TIE of the best.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { denoise, generate, loadModel, score, type GenerateOptions, type Model } from '../../ts';
import { internalsOf } from '../../ts/model/model';
import { describeCudaShared } from '../support/cuda';
import { modelFolder, referenceModels } from '../support/models';
import { Safetensors } from '../support/safetensors';
import { temporaryFolder } from '../support/temporary-folder';

/** Of logits, which spread by 2 to 3 over the vocabulary in these models. */
const TIE = 0.1;

interface Reference {
  /** greedy_gap: how far the best logit is from the second. */
  prompts: Array<{ tokens: number[]; greedy: number[]; greedy_gap: number[] }>;
}

/** Of logits, their spread: they lie around 0. */
const rms = (values: number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

/** How far each token of a continuation is from the best by the logits of `exact`. */
async function distances(exact: Model, prompt: number[], text: ArrayLike<number>): Promise<number[]> {
  const { native, module } = internalsOf(exact);
  const nodes = Int32Array.from([prompt.at(-1)!, ...Array.from(text).slice(0, -1)]);
  const parents = nodes.map((_, node) => node - 1);
  const cancel = module.createCancelToken();
  const logits = await native.logits(Int32Array.from(prompt.slice(0, -1)), nodes, parents, 256, cancel);
  const vocabulary = logits.length / nodes.length;
  return Array.from(text, (token, node) => {
    const row = logits.subarray(node * vocabulary, (node + 1) * vocabulary);
    return Math.max(...row) - row[token]!;
  });
}

async function expectGreedy(model: Model, exact: Model, prompt: number[], length: number): Promise<number[]> {
  const texts = [];
  for (const method of ['autoregressive', 'tr-jacobi'] as const) {
    const options: GenerateOptions = { tokens: prompt, maxNewTokens: length, eosTokens: [] };
    texts.push([...(await generate(model, { ...options, decoding: { method } })).tokens]);
  }
  expect(texts[1]).toEqual(texts[0]);
  expect(texts[0]).toHaveLength(length);
  expect(Math.max(...(await distances(exact, prompt, texts[0]!)))).toBeLessThan(TIE);
  return texts[0]!;
}

describeCudaShared.each(referenceModels)('%s on CUDA', (name) => {
  const folder = modelFolder(name);
  let model: Model;
  let exact: Model;
  let reference: Reference;
  beforeAll(async () => {
    reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as Reference;
    model = await loadModel(folder, { device: 'cuda' });
    exact = await loadModel(folder, { device: 'cpu', dtype: 'f32' });
  });
  afterAll(() => {
    model.dispose();
    exact.dispose();
  });

  test('says where and in what it computes', () => {
    expect(model.info).toMatchObject({ device: 'cuda:0', dtype: 'bf16' });
  });

  test('greedy text: the reference until a near tie, the same with and without drafts', async () => {
    const { tokens, greedy, greedy_gap: gaps } = reference.prompts.at(-1)!;
    const text = await expectGreedy(model, exact, tokens, 24);
    const fork = text.findIndex((token, at) => token !== greedy[at]);
    if (fork >= 0) expect(gaps[fork]).toBeLessThan(TIE);
  });

  test('log probabilities within 3 % of the spread of the logits, none off by 10 %', async () => {
    const numbers = new Safetensors(join(folder, 'reference.safetensors'));
    const index = reference.prompts.length - 1;
    const { tokens } = reference.prompts[index]!;
    const logits = numbers.values(`prompt.${index}.logits`);
    const vocabulary = logits.length / tokens.length;
    const rows = tokens.slice(1).map((_, at) => [...logits.slice(at * vocabulary, (at + 1) * vocabulary)]);
    const expected = rows.map((row, at) => {
      const highest = Math.max(...row);
      const sum = row.reduce((total, logit) => total + Math.exp(logit - highest), 0);
      return row[tokens[at + 1]!]! - highest - Math.log(sum);
    });
    const { logProbabilities } = await score(model, { tokens });
    const errors = expected.map((value, at) => logProbabilities[at]! - value);
    const spread = rms(Array.from(logits));
    expect(rms(errors)).toBeLessThan(0.03 * spread);
    expect(Math.max(...errors.map(Math.abs))).toBeLessThan(0.1 * spread);
  });
});

describeCudaShared('stories260K on CUDA', () => {
  const folder = modelFolder('stories260K');
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder, { device: 'cuda' });
  });
  afterAll(() => model.dispose());
  const prompt = 'Once upon a time, there was a little girl';

  test('tells a story, the same with and without drafts, and streams it', async () => {
    await using exact = await loadModel(folder, { device: 'cpu', dtype: 'f32' });
    const tokens = [...(await model.tokenizer.encode(prompt))];
    const text = await expectGreedy(model, exact, tokens, 24);
    const generation = generate(model, { prompt, maxNewTokens: 24, eosTokens: [] });
    let streamed = '';
    for await (const chunk of generation) streamed += chunk.text;
    expect(streamed).toBe((await generation).text);
    expect([...(await generation).tokens]).toEqual(text);
  });

  test('samples the same text with every method', async () => {
    const sampling = { temperature: 0.8, topK: 20, topP: 0.9, minP: 0.02, repetitionPenalty: 1.1, seed: 3 };
    const texts = [];
    for (const method of ['autoregressive', 'jacobi', 'tr-jacobi'] as const)
      texts.push(
        (await generate(model, { prompt, maxNewTokens: 16, sampling, decoding: { method } })).tokens,
      );
    for (const text of texts) expect(text).toEqual(texts[0]);
  });

  test('denoises to the greedy text', async () => {
    const { tokens } = await generate(model, { prompt, maxNewTokens: 5, eosTokens: [] });
    const result = await denoise(model, { prefix: prompt });
    expect(result.tokens).toEqual(tokens);
    expect(result).toMatchObject({ fixedPoint: true, matched: 5 });
  });

  test('is saved and loaded again as it is', async () => {
    const copy = join(temporaryFolder(), 'copy');
    await model.save(copy);
    await using again = await loadModel(copy, { device: 'cuda' });
    const [one, other] = await Promise.all(
      [model, again].map((each) => generate(each, { prompt, maxNewTokens: 8, eosTokens: [] })),
    );
    expect(other!.tokens).toEqual(one!.tokens);
  });
});
