import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel, generate, loadModel, type GenerateOptions, type Model } from '../../../ts';
import { errorOf } from '../../support/folders';
import { describeShared, sharedFolder } from '../../support/testing';

const methods = ['autoregressive', 'jacobi', 'tr-jacobi'] as const;
const random = Int32Array.of(3, 7, 1, 9, 4, 4, 2);

describe('a model without a tokenizer', () => {
  let model: Model;
  beforeAll(async () => {
    const config = { vocab_size: 50, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 4 };
    model = await createModel(
      { ...config, max_position_embeddings: 128, initializer_range: 0.6, eos_token_id: 5 },
      { seed: 4 },
    );
  });
  afterAll(() => model.dispose());
  const run = (options: GenerateOptions) => generate(model, { tokens: random, eosTokens: [], ...options });

  test('exactly maxNewTokens, with every method the same', async () => {
    for (const maxNewTokens of [1, 2, 17, 40]) {
      const results = await Promise.all(methods.map((method) => run({ maxNewTokens, decoding: { method } })));
      for (const { tokens, text, finishReason, stats } of results) {
        expect(tokens).toEqual(results[0]!.tokens);
        expect(tokens).toHaveLength(maxNewTokens);
        expect(text).toBe('');
        expect(finishReason).toBe('length');
        expect(stats).toMatchObject({ promptTokens: 7, newTokens: maxNewTokens });
        expect(stats.acceptedLengths).toHaveLength(stats.steps);
        expect(stats.tokensPerStep).toBe(maxNewTokens / stats.steps);
        const { model: fromModel, noise, retrieval } = stats.draftSources;
        const accepted = stats.acceptedLengths.reduce((sum, length) => sum + length - 1, 0);
        expect(fromModel + noise + retrieval).toBe(accepted);
      }
      expect(results[0]!.stats.steps).toBe(maxNewTokens);
    }
  });

  test('the same seed samples the same text with every method', async () => {
    const sampling = { temperature: 0.9, topK: 20, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1, seed: 2 };
    const results = await Promise.all(
      methods.map((method) => run({ maxNewTokens: 30, sampling, decoding: { method } })),
    );
    for (const { tokens } of results) expect(tokens).toEqual(results[0]!.tokens);
    const other = await run({ maxNewTokens: 30, sampling: { ...sampling, seed: 3 } });
    expect(other.tokens).not.toEqual(results[0]!.tokens);
  });

  test('end-of-sequence ids: the first that comes, kept, nothing behind it', async () => {
    const { tokens } = await run({ maxNewTokens: 40 });
    const end = tokens[12]!;
    const first = tokens.indexOf(end);
    for (const method of methods) {
      const result = await run({ maxNewTokens: 40, eosTokens: [49, end], decoding: { method } });
      expect(result.finishReason).toBe('stop');
      expect(result.tokens).toEqual(tokens.slice(0, first + 1));
    }
  });

  test("the default is the model's own end", async () => {
    const { tokens } = await run({ maxNewTokens: 100 });
    const own = await generate(model, { tokens: random, maxNewTokens: 100 });
    const end = tokens.indexOf(5);
    expect(own.tokens).toEqual(end < 0 ? tokens : tokens.slice(0, end + 1));
  });

  test('the context length ends a text', async () => {
    const { tokens, finishReason } = await run({ maxNewTokens: 1000 });
    expect(finishReason).toBe('length');
    expect(random.length + tokens.length).toBe(model.info.contextLength);
  });

  test('chunks are the whole in parts', async () => {
    const generation = run({ maxNewTokens: 33 });
    const tokens: number[] = [];
    const steps: number[] = [];
    for await (const chunk of generation) {
      tokens.push(...chunk.tokens);
      steps.push(chunk.step);
    }
    const result = await generation;
    expect(Int32Array.from(tokens)).toEqual(result.tokens);
    expect(steps).toEqual(Array.from({ length: result.stats.steps }, (_, index) => index));
  });

  test('generations on one model run one after another', async () => {
    const alone = await run({ maxNewTokens: 20 });
    const together = await Promise.all([1, 2, 3, 4].map(() => run({ maxNewTokens: 20 })));
    for (const { tokens } of together) expect(tokens).toEqual(alone.tokens);
  });

  test.each<[string, object, string, string]>([
    [
      'nothing to begin with',
      { tokens: undefined },
      'ERR_INVALID_ARGUMENT',
      'exactly one of prompt, tokens or mess',
    ],
    ['two prompts', { prompt: 'a' }, 'ERR_INVALID_ARGUMENT', 'exactly one of prompt, tokens or messages'],
    ['no tokens', { tokens: [] }, 'ERR_INVALID_ARGUMENT', 'tokens: expected at least one token'],
    ['a token beyond the vocabulary', { tokens: [3, 50] }, 'ERR_INVALID_ARGUMENT', '50'],
    ['a negative token', { tokens: [3, -1] }, 'ERR_INVALID_ARGUMENT', 'tokens[1]: expected a token id'],
    ['a fractional token', { tokens: [1.5] }, 'ERR_INVALID_ARGUMENT', 'tokens[0]: expected a token id'],
    ['an end beyond the vocabulary', { eosTokens: [50] }, 'ERR_INVALID_ARGUMENT', '50'],
    ['a full context', { tokens: Array(128).fill(1) }, 'ERR_INVALID_ARGUMENT', '128'],
    ['more than the context', { tokens: Array(200).fill(1) }, 'ERR_INVALID_ARGUMENT', '200'],
    ['text without a tokenizer', { tokens: undefined, prompt: 'a' }, 'ERR_UNSUPPORTED', 'no tokenizer'],
    ['a stop string without one', { stop: ['a'] }, 'ERR_UNSUPPORTED', 'no tokenizer'],
    [
      'no new tokens',
      { maxNewTokens: 0 },
      'ERR_INVALID_ARGUMENT',
      'maxNewTokens: expected an integer from 1',
    ],
    ['an empty stop string', { stop: [''] }, 'ERR_INVALID_ARGUMENT', 'stop'],
    ['an unknown option', { maxTokens: 5 }, 'ERR_INVALID_ARGUMENT', 'unknown option "maxTokens"'],
    ['an unknown sampling option', { sampling: { topk: 1 } }, 'ERR_INVALID_ARGUMENT', 'did you mean "topK"?'],
    [
      'a negative temperature',
      { sampling: { temperature: -1 } },
      'ERR_INVALID_ARGUMENT',
      'sampling.temperature: exp',
    ],
    [
      'topP of 0',
      { sampling: { topP: 0 } },
      'ERR_INVALID_ARGUMENT',
      'sampling.topP: expected a number above 0',
    ],
    [
      'a seed of half',
      { sampling: { seed: 0.5 } },
      'ERR_INVALID_ARGUMENT',
      'sampling.seed: expected an integer',
    ],
    ['a signal that is none', { signal: true }, 'ERR_INVALID_ARGUMENT', 'signal: expected an AbortSignal'],
    [
      'a tree with a hole',
      { decoding: { tree: { paths: [[0], [1, 0]] } } },
      'ERR_INVALID_ARGUMENT',
      'parent',
    ],
    [
      'a path given twice',
      { decoding: { tree: { paths: [[0], [0]] } } },
      'ERR_INVALID_ARGUMENT',
      'expected every path once',
    ],
    [
      'a column beyond the table',
      { decoding: { topK: 2, tree: { paths: [[3]] } } },
      'ERR_INVALID_ARGUMENT',
      '3',
    ],
    [
      'a path beyond the depth',
      { decoding: { depth: 1, tree: { paths: [[0], [0, 0]] } } },
      'ERR_INVALID_ARGUMENT',
      '',
    ],
  ])('refused: %s', async (_, options, code, message) => {
    const generation = run(options);
    const error = await errorOf(() => generation);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    await expect(async () => {
      for await (const chunk of generation) expect(chunk).toBeUndefined();
    }).rejects.toBe(error);
  });

  test('something that is no model', async () => {
    expect((await errorOf(() => generate({} as never, { tokens: [1] }))).message).toMatch(
      /^model: expected a Model/,
    );
  });

  test('the model goes on after an error', async () => {
    await errorOf(() => run({ tokens: [99] }));
    expect((await run({ maxNewTokens: 3 })).tokens).toHaveLength(3);
  });
});

describeShared('stories260K', () => {
  const folder = join(sharedFolder, 'models', 'stories260K');
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model.dispose());
  const readme = () => readFileSync(join(folder, 'README.md'), 'utf8').split('```');

  test('the expected greedy text, with every method', async () => {
    const expectedText = readme()[1]!.trim();
    const expectedTokens = readme()[3]!.trim().split(/\s+/).map(Number);
    expect(expectedTokens).toHaveLength(200);
    for (const method of methods) {
      const result = await generate(model, { prompt: '', maxNewTokens: 200, decoding: { method } });
      expect(Array.from(result.tokens)).toEqual(expectedTokens);
      expect(result.text).toBe(expectedText);
      expect(result.stats.promptTokens).toBe(1);
    }
  });

  test('streamed text is the whole text', async () => {
    for (const prompt of ['Once upon a time', 'Lily and the 日本語 cat', '\n\n']) {
      for (const temperature of [0, 1.5]) {
        const generation = generate(model, { prompt, maxNewTokens: 120, sampling: { temperature, seed: 6 } });
        let text = '';
        for await (const chunk of generation) {
          expect(Buffer.from(chunk.text).toString()).toBe(chunk.text);
          text += chunk.text;
        }
        const result = await generation;
        expect(text).toBe(result.text);
        expect(result.text.trimStart()).toBe((await model.tokenizer.decode(result.tokens)).trimStart());
      }
    }
  });

  test('a stop string ends text, tokens and statistics at the same place with every method', async () => {
    const whole = await generate(model, { prompt: 'Once', maxNewTokens: 120 });
    for (const stop of ['. She', 'park', 'big, r', '\n', 'Lily', ', ']) {
      const at = whole.text.indexOf(stop);
      expect(at).toBeGreaterThanOrEqual(0);
      const results = [];
      for (const method of methods) {
        const options = {
          prompt: 'Once',
          maxNewTokens: 120,
          stop: [stop, 'never seen'],
          decoding: { method },
        };
        results.push(await generate(model, options));
      }
      for (const { text, tokens, finishReason, stats } of results) {
        expect(text).toBe(whole.text.slice(0, at));
        expect(finishReason).toBe('stop-string');
        expect(tokens).toEqual(results[0]!.tokens);
        expect(whole.tokens.slice(0, tokens.length)).toEqual(tokens);
        expect(stats.newTokens).toBe(tokens.length);
        expect(stats.acceptedLengths).toHaveLength(stats.steps);
      }
      // The last token is the one that completed the stop string.
      const before = await model.tokenizer.decode(results[0]!.tokens.slice(0, -1));
      expect(before.includes(stop)).toBe(false);
      expect((await model.tokenizer.decode(results[0]!.tokens)).includes(stop)).toBe(true);
      const again = await generate(model, { prompt: 'Once', maxNewTokens: 120, stop });
      expect(again.stats.steps).toBe(results[2]!.stats.steps);
    }
  });

  test('stop strings that never come change nothing', async () => {
    const whole = await generate(model, { prompt: 'Once', maxNewTokens: 60 });
    const watched = await generate(model, {
      prompt: 'Once',
      maxNewTokens: 60,
      stop: ['☃', `${whole.text}!`],
    });
    expect(watched.text).toBe(whole.text);
    expect(watched.finishReason).toBe('length');
  });

  test('messages need a chat template', async () => {
    const error = await errorOf(() => generate(model, { messages: [{ role: 'user', content: 'hi' }] }));
    expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' });
    expect(error.message).toContain('no chat template');
  });

  describe('ending early', () => {
    const long = { prompt: 'Once', maxNewTokens: 450, eosTokens: [] };

    test('an abort gives what there is', async () => {
      const whole = await generate(model, long);
      const controller = new AbortController();
      const generation = generate(model, { ...long, signal: controller.signal });
      let chunks = 0;
      for await (const _ of generation) if (++chunks === 3) controller.abort();
      const { text, tokens, finishReason, stats } = await generation;
      expect(finishReason).toBe('aborted');
      expect(stats.steps).toBeGreaterThanOrEqual(3);
      expect(tokens.length).toBeLessThan(whole.tokens.length);
      expect(tokens).toEqual(whole.tokens.slice(0, tokens.length));
      expect(whole.text.startsWith(text)).toBe(true);
      expect(stats.newTokens).toBe(tokens.length);
    });

    test('throwOnAbort rejects with the reason', async () => {
      const reason = new Error('enough');
      const controller = new AbortController();
      const generation = generate(model, { ...long, signal: controller.signal, throwOnAbort: true });
      await expect(async () => {
        for await (const chunk of generation) if (chunk.step === 1) controller.abort(reason);
      }).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: reason });
      expect(await errorOf(() => generation)).toMatchObject({ code: 'ERR_ABORTED', cause: reason });
    });

    test('a signal that was raised before', async () => {
      const signal = AbortSignal.abort();
      const result = await generate(model, { ...long, signal });
      expect(result).toMatchObject({ text: '', finishReason: 'aborted' });
      expect(result.stats).toMatchObject({ steps: 0, newTokens: 0, tokensPerStep: 0, tokensPerSecond: 0 });
      const error = await errorOf(() => generate(model, { ...long, signal, throwOnAbort: true }));
      expect(error.code).toBe('ERR_ABORTED');
    });

    test('leaving the loop cancels the native work', async () => {
      const generation = generate(model, long);
      for await (const chunk of generation) if (chunk.step === 2) break;
      const { finishReason, tokens } = await generation;
      expect(finishReason).toBe('aborted');
      expect(tokens.length).toBeLessThan(450);
      expect((await generate(model, { prompt: 'Once', maxNewTokens: 2 })).tokens).toHaveLength(2);
    });

    test('listeners that come late get everything', async () => {
      const generation = generate(model, { prompt: 'Once', maxNewTokens: 40 });
      const { text } = await generation;
      for (let listener = 0; listener < 2; listener++) {
        let heard = '';
        for await (const chunk of generation) heard += chunk.text;
        expect(heard).toBe(text);
      }
    });

    test('disposing during a generation lets it finish', async () => {
      const other = await loadModel(folder);
      const generation = generate(other, { prompt: 'Once', maxNewTokens: 50, eosTokens: [] });
      for await (const chunk of generation) if (chunk.step === 0) other.dispose();
      expect((await generation).tokens).toHaveLength(50);
      expect(await errorOf(() => generate(other, { prompt: 'Once' }))).toMatchObject({
        code: 'ERR_DISPOSED',
      });
    });
  });
});

const smollm2 = process.env.MSN_SMOLLM2 ?? '';
(smollm2 !== '' && existsSync(smollm2) ? describeShared : describe.skip)('SmolLM2 (MSN_SMOLLM2)', () => {
  test('a chat in f32 is the reference text', async () => {
    const reference = JSON.parse(
      readFileSync(join(sharedFolder, 'reference', 'smollm2-135m', 'reference.json'), 'utf8'),
    ) as { prompts: Array<{ prompt_ids: number[]; greedy_ids: number[]; greedy_text: string }> };
    await using model = await loadModel(smollm2, { dtype: 'f32' });
    for (const { prompt_ids, greedy_ids, greedy_text } of reference.prompts.slice(0, 2)) {
      const { tokens, text } = await generate(model, { tokens: prompt_ids, maxNewTokens: 96 });
      expect(Array.from(tokens)).toEqual(greedy_ids);
      expect(text).toBe(greedy_text.replace(/<\|im_end\|>$/, ''));
    }
  }, 60_000);
});
