/** What weights are computed in on CUDA, and what models made there look like on disk. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel, generate, loadModel, score, type ModelConfigInput, type ModelDtype } from '../../ts';
import { describeCuda } from '../support/cuda';
import { temporaryFolder } from '../support/temporary-folder';

// Widths that fill neither the rows nor the columns of the layout in memory.
const config: ModelConfigInput = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 203,
  hidden_size: 72,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 18,
  intermediate_size: 100,
  max_position_embeddings: 256,
};
const tokens = Int32Array.from({ length: 24 }, (_, index) => (index * 31) % 203);
const make = (dtype: ModelDtype, device: 'cpu' | 'cuda' = 'cuda') =>
  createModel(config, { seed: 3, initializerRange: 0.2, device, dtype });
const farthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index]!)), 0);
const weights = (folder: string) => readFileSync(join(folder, 'model.safetensors'));

async function failure(made: Promise<unknown>): Promise<{ code?: string; message: string }> {
  try {
    await made;
    return { message: '' };
  } catch (error) {
    return error as { code?: string; message: string };
  }
}

test('int8 is refused on the CPU, with the reason', async () => {
  expect(await failure(make('int8', 'cpu'))).toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: expect.stringMatching(
      /CPU engine computes with F32 or BF16 .* int8 weights are for device 'cuda'/,
    ),
  });
});

describeCuda('on CUDA', () => {
  test("'auto' is bf16, and f32 is refused with the reason", async () => {
    await using model = await make('auto');
    expect(model.info).toMatchObject({ device: 'cuda:0', dtype: 'bf16' });
    expect(model.info.engine).toMatchObject({ kind: 'cuda:0', instructions: '' });
    expect(model.info.engine.computeCapability).toMatch(/^\d+\.\d$/);
    expect(model.info.engine.reason).toMatch(/^The CUDA engine on cuda:0 \(.+\), as asked\.$/);
    expect(await failure(make('f32'))).toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(
        /BF16 or int8 weights, not with F32: its matrix instructions multiply bf16/,
      ),
    });
  });

  test('weights are rounded as on the CPU, and come back as they went', async () => {
    const folder = temporaryFolder();
    for (const device of ['cpu', 'cuda'] as const) {
      await using model = await make('bf16', device);
      await model.save(join(folder, device));
    }
    expect(weights(join(folder, 'cuda')).equals(weights(join(folder, 'cpu')))).toBe(true);
  });

  test('int8 weights are within half a step of the true ones, and give nearly the same text', async () => {
    const folder = temporaryFolder();
    await using exact = await make('f32', 'cpu');
    await using model = await make('int8');
    expect(model.info.dtype).toBe('int8');
    await exact.save(join(folder, 'f32'));
    await model.save(join(folder, 'int8'));
    await using again = await loadModel(join(folder, 'int8'), { device: 'cpu' });
    expect(again.info.dtype).toBe('f32');

    const header = (bytes: Buffer) => 8 + Number(bytes.readBigUInt64LE());
    const values = (bytes: Buffer) => new Float32Array(Uint8Array.from(bytes.subarray(header(bytes))).buffer);
    const kept = values(weights(join(folder, 'f32')));
    const rounded = values(weights(join(folder, 'int8')));
    expect(rounded).toHaveLength(kept.length);
    // No weight of the draw is larger than 6 standard deviations: that bounds the step of every row.
    const largestStep = (6 * 0.2) / 127;
    expect(farthest(rounded, kept)).toBeLessThanOrEqual(largestStep / 2);

    // The model computes with what it saves: the CPU, given that, finds the same text as likely.
    const ours = await score(model, { tokens });
    const theirs = await score(again, { tokens });
    expect(farthest(ours.logProbabilities, theirs.logProbabilities)).toBeLessThan(0.15); // bf16 activations
    const options = { tokens, maxNewTokens: 16, eosTokens: [] };
    const plain = await generate(model, { ...options, decoding: { method: 'autoregressive' } });
    expect((await generate(model, options)).tokens).toEqual(plain.tokens);
  });
});
