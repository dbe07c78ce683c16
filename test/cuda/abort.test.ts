/** A text that is left while the device is at work on its next step leaves a model that goes on writing. */
import { createModel, generate, type ModelConfigInput } from '../../ts';
import { describeCuda } from '../support/cuda';

const config: ModelConfigInput = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 61,
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 48,
  max_position_embeddings: 4096,
  tie_word_embeddings: true,
};

describeCuda('a text that is left', () => {
  test('by its reader or by a signal', async () => {
    const model = await createModel(config, { device: 'cuda', seed: 1 });
    const request = { tokens: Int32Array.of(3, 1, 4, 1, 5), eosTokens: [] };
    const expected = (await generate(model, { ...request, maxNewTokens: 12 })).tokens;

    for await (const chunk of generate(model, { ...request, maxNewTokens: 4000 })) if (chunk.step > 1) break;

    const controller = new AbortController();
    const aborted = generate(model, { ...request, maxNewTokens: 4000, signal: controller.signal });
    const received = [];
    for await (const chunk of aborted) {
      received.push(...chunk.tokens);
      if (chunk.step > 2) controller.abort();
    }
    const { finishReason, tokens } = await aborted;
    expect(finishReason).toBe('aborted');
    expect([...tokens]).toEqual(received);
    expect(tokens.length).toBeLessThan(4000);

    expect((await generate(model, { ...request, maxNewTokens: 12 })).tokens).toEqual(expected);
    model.dispose();
  });
});
