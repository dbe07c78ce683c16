import { cpSync, copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel, loadModel, type Model } from '../../../ts/model';
import { internalsOf } from '../../../ts/model/model';
import { readSafetensorsHeader } from '../../../ts/model/safetensors';
import { errorOf, temporaryFolder } from '../../support/folders';
import { referenceModels } from '../../support/models';
import { describeShared, sharedFolder } from '../../support/testing';

const folder = temporaryFolder();
const config = {
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
};
/** A folder of a small model of our own, which the test then spoils. */
const good = join(folder, 'good');
let copies = 0;
beforeAll(async () => {
  await using model = await createModel(config, { seed: 3 });
  await model.save(good);
});
function copyOfGood(): string {
  const path = join(folder, `copy-${copies++}`);
  cpSync(good, path, { recursive: true });
  return path;
}
const loadError = (path: string, options = {}) => errorOf(() => loadModel(path, options));

test('a model is described', async () => {
  const progress: number[] = [];
  await using model = await loadModel(good, {
    threads: 1,
    onProgress: ({ doneBytes, totalBytes }) => progress.push(doneBytes / totalBytes),
  });
  expect(model.info).toMatchObject({
    architecture: 'LlamaForCausalLM',
    layers: 2,
    hiddenSize: 16,
    vocabularySize: 40,
    contextLength: 64,
    device: 'cpu',
    dtype: 'f32',
  });
  expect(model.info.bytes).toBeGreaterThanOrEqual(4 * model.info.parameters);
  expect(Object.isFrozen(model.info)).toBe(true);
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual([...progress].sort((left, right) => left - right));
});

test('dtype, threads and context length are as asked', async () => {
  await using model = await loadModel(good, { dtype: 'bf16', threads: 1, contextLength: 32, device: 'cpu' });
  expect(model.info).toMatchObject({ dtype: 'bf16', contextLength: 32 });
  expect(model.info.engine.threads).toBe(1);
});

test('options out of range', async () => {
  const messageFor = async (options: object) => (await loadError(good, options)).message;
  expect(await messageFor({ contextLength: 65 })).toBe(
    "contextLength: expected at most the model's 64, received 65",
  );
  expect(await messageFor({ contextLength: 0 })).toBe(
    "contextLength: expected 'auto' or an integer of at least 1, received 0",
  );
  expect(await messageFor({ dtype: 'f16' })).toContain("dtype: expected 'auto' or 'f32' or 'bf16' or 'int8'");
  expect(await messageFor({ dtyp: 'f32' })).toBe('unknown option "dtyp" (did you mean "dtype"?)');
  expect(await loadError(good, { dtype: 'int8' })).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  expect(await loadError(5 as never)).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});

test('a device that is not there is never replaced', async () => {
  const error = await loadError(good, { device: 'cuda' });
  expect(error.code).toBe('ERR_DEVICE');
  expect(error.message).toContain("device 'cpu' computes without CUDA");
});

test('loading can be aborted', async () => {
  const reason = new Error('changed my mind');
  const error = await loadError(good, { signal: AbortSignal.abort(reason) });
  expect(error).toMatchObject({ code: 'ERR_ABORTED', cause: reason });
});

test('a model without a tokenizer says so when text is used', async () => {
  await using model = await loadModel(good);
  expect(model.hasTokenizer).toBe(false);
  expect((await errorOf(() => model.tokenizer)).message).toContain('use token ids instead of text');
});

test('a disposed model refuses work', async () => {
  const model = await loadModel(good);
  model.dispose();
  model.dispose();
  expect(await errorOf(() => model.save(join(folder, 'never')))).toMatchObject({ code: 'ERR_DISPOSED' });
  expect(existsSync(join(folder, 'never'))).toBe(false);
});

describe('broken folders', () => {
  const spoilConfig = (different: object): string => {
    const path = copyOfGood();
    const file = join(path, 'config.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...json, ...different }));
    return path;
  };

  test.each<[string, object, string]>([
    ['another shape', { intermediate_size: 80 }, 'mlp.gate_proj.weight'],
    ['more layers', { num_hidden_layers: 3 }, 'model.layers.2'],
    ['a larger vocabulary', { vocab_size: 41 }, 'model.embed_tokens.weight'],
    [
      'a bias that the file lacks',
      { model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'] },
      'q_proj.bias',
    ],
  ])('config.json says %s than the weights', async (_, different, tensor) => {
    const path = spoilConfig(different);
    const error = await loadError(path);
    expect(error.code).toBe('ERR_MODEL_FORMAT');
    expect(error.message).toContain(path);
    expect(error.message).toContain(tensor);
  });

  test('config.json is not JSON', async () => {
    const path = copyOfGood();
    writeFileSync(join(path, 'config.json'), '{"hidden_size": 16,');
    const error = await loadError(path);
    expect(error.code).toBe('ERR_MODEL_FORMAT');
    expect(error.message).toContain(`${join(path, 'config.json')}: not valid JSON`);
  });

  test('generation_config.json makes no sense', async () => {
    const path = copyOfGood();
    writeFileSync(join(path, 'generation_config.json'), '{"eos_token_id": "two"}');
    expect((await loadError(path)).message).toContain(
      'generation_config.json: eos_token_id: expected a token id',
    );
  });

  test.each([NaN, Infinity, -Infinity])('a weight is %d', async (value) => {
    const path = copyOfGood();
    const file = join(path, 'model.safetensors');
    const tensor = (await readSafetensorsHeader(file)).find(({ name }) => name.includes('1.mlp.up_proj'))!;
    const bytes = readFileSync(file);
    bytes.writeFloatLE(value, tensor.end - 4);
    writeFileSync(file, bytes);
    const error = await loadError(path);
    expect(error.code).toBe('ERR_MODEL_FORMAT');
    expect(error.message).toContain('model.layers.1.mlp.up_proj.weight');
  });

  test('the weights are cut off, or longer than they should be', async () => {
    for (const change of [-1, 1]) {
      const path = copyOfGood();
      const file = join(path, 'model.safetensors');
      const bytes = readFileSync(file);
      const spoiled = change < 0 ? bytes.subarray(0, -1) : Buffer.concat([bytes, Buffer.alloc(1)]);
      writeFileSync(file, spoiled);
      const error = await loadError(path);
      expect(error.code).toBe('ERR_MODEL_FORMAT');
      expect(error.message).toContain(file);
    }
  });

  test('weights under another name are of no use', async () => {
    const path = copyOfGood();
    renameSync(join(path, 'model.safetensors'), join(path, 'weights.safetensors'));
    expect((await loadError(path)).message).toContain('no weights');
  });
});

describeShared('reference models', () => {
  const reference = (name: string) => join(sharedFolder, 'reference', name);
  const greedyOf = async (model: Model, prompt: number[], count: number): Promise<number[]> => {
    const { module, native } = internalsOf(model);
    const tokens: number[] = [];
    const paths = module.draftPaths('paper', 0, 5, 10);
    await native.generate(
      {
        prompt: Int32Array.from(prompt),
        maxNewTokens: count,
        endOfSequence: new Int32Array(),
        temperature: 0,
        topK: 0,
        topP: 1,
        minP: 0,
        repetitionPenalty: 1,
        seed: 0,
        ...paths,
        depth: 5,
        width: 10,
        retrieval: true,
        minMatch: 2,
        noiseSeed: 0,
      },
      () => undefined,
      (step) => tokens.push(...step.tokens),
      module.createCancelToken(),
    );
    return tokens;
  };

  test.each(referenceModels)('%s: greedy text in f32, with both styles of config', async (name) => {
    const { prompts } = JSON.parse(readFileSync(join(reference(name), 'reference.json'), 'utf8')) as {
      prompts: Array<{ tokens: number[]; greedy: number[] }>;
    };
    const folders = [reference(name)];
    const modern = join(reference(name), 'config.transformers5.json');
    if (existsSync(modern)) {
      const path = join(folder, `modern-${name}`);
      cpSync(reference(name), path, { recursive: true });
      copyFileSync(modern, join(path, 'config.json'));
      folders.push(path);
    }
    for (const path of folders) {
      await using model = await loadModel(path, { dtype: 'f32' });
      for (const { tokens, greedy } of prompts) {
        expect(await greedyOf(model, tokens, greedy.length)).toEqual(greedy);
      }
    }
  });

  test('dtype auto is what is stored, f32 for F16', async () => {
    const dtypeOf = async (name: string) => {
      await using model = await loadModel(reference(name));
      return model.info.dtype;
    };
    expect(await dtypeOf('llama-gqa-untied')).toBe('f32');
    expect(await dtypeOf('llama-bf16-file')).toBe('bf16');
    expect(await dtypeOf('llama-f16-sharded')).toBe('f32');
  });

  test('end-of-sequence ids come from generation_config.json, then config.json', async () => {
    await using model = await loadModel(reference('llama-gqa-untied'));
    expect(internalsOf(model).description.eosTokens).toEqual(Int32Array.of(2));
  });
});
