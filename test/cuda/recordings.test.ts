/** Texts that follow one another through one model replay what the first has captured, in the memory it has taken. */
import fc from 'fast-check';
import { createModel, devices, generate, type ModelConfigInput } from '../../ts';
import { describeCuda } from '../support/cuda';
import { decode, jacobi, nodeTree } from '../support/decoding';
import { randomModel, type TestModel } from '../support/models';
import { drawnSampling } from '../support/requests';
import { loadTesting } from '../support/testing';

const capturesOf = (model: TestModel) => loadTesting().captures!({ model }) as number;

describeCuda('one text behind another on CUDA', () => {
  // First, while no model of another test is left to the garbage collector.
  test('takes no more memory', async () => {
    const config: ModelConfigInput = {
      architectures: ['LlamaForCausalLM'],
      vocab_size: 61,
      hidden_size: 32,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      intermediate_size: 48,
      max_position_embeddings: 4096,
      tie_word_embeddings: true,
    };
    const free = () => devices().find(({ kind }) => kind === 'cuda:0')!.freeBytes;
    const model = await createModel(config, { device: 'cuda', seed: 1 });
    const write = (seed: number, maxNewTokens: number) =>
      generate(model, {
        tokens: Int32Array.from({ length: 10 + 7 * seed }, (_, i) => (i * seed) % 61),
        sampling: { temperature: 1, seed },
        ...{ maxNewTokens, eosTokens: [] },
      });
    await write(5, 30);
    const before = free();
    for (let seed = 1; seed <= 5; seed += 2) {
      await write(seed, 6 * seed);
      expect(free()).toBe(before);
    }
    model.dispose();
  });

  const fresh = (): TestModel =>
    randomModel({ vocabularySize: 61, contextLength: 200 }, 5, { device: 'cuda', dtype: 'bf16' });
  const drawnTexts = fc.array(
    fc.record({
      prompt: fc.array(fc.nat(60), { minLength: 1, maxLength: 50 }),
      maxNewTokens: fc.integer({ min: 1, max: 12 }),
      method: fc.constantFrom(nodeTree(12), nodeTree(12), nodeTree(12), jacobi(4), {}),
      sampling: fc.option(drawnSampling, { nil: {} }),
      noiseSeed: fc.nat(9),
    }),
    { minLength: 3, maxLength: 5 },
  );

  test('has the steps that it has in a model of its own, and those that the host leads', () => {
    const model = fresh();
    let reused = 0;
    fc.assert(
      fc.property(drawnTexts, (texts) => {
        for (const { method, sampling, ...text } of texts) {
          const request = { ...text, ...method, ...sampling };
          const before = capturesOf(model);
          const steps = decode(model, request);
          reused += capturesOf(model) === before ? 1 : 0;
          expect(steps).toEqual(decode(fresh(), request));
          expect(steps).toEqual(decode(model, { ...request, lead: 'host' }));
        }
      }),
      { numRuns: 4 },
    );
    expect(reused).toBeGreaterThan(0);
  });
});
