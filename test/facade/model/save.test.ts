import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel, loadModel, type Model } from '../../../ts/model';
import { internalsOf } from '../../../ts/model/model';
import { planShards, saveModel } from '../../../ts/model/save';
import { errorOf, temporaryFolder } from '../../support/folders';
import { describeShared, sharedFolder } from '../../support/testing';

let mounted = false;
// Registered before the removal of the folder, which a mount in it would refuse.
afterAll(() => {
  if (mounted) execFileSync('umount', [tiny]);
});
const folder = temporaryFolder();
let folders = 0;
const freshPath = () => join(folder, `model-${folders++}`);
const config = {
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
};
let model: Model;
beforeAll(async () => {
  model = await createModel({ ...config, eos_token_id: [2, 3], bos_token_id: 1 }, { seed: 7 });
});
afterAll(() => model.dispose());

const logitsOf = async (one: Model): Promise<Float32Array> => {
  const { module, native } = internalsOf(one);
  const root = Int32Array.of(9);
  return native.logits(Int32Array.of(4, 8), root, Int32Array.of(-1), 64, module.createCancelToken());
};
const json = (path: string, file: string) => JSON.parse(readFileSync(join(path, file), 'utf8')) as object;
/** Names that begin with a dot are what an interrupted save would leave. */
const leftovers = (path = folder) => readdirSync(path).filter((name) => name.startsWith('.'));

test('a saved model loads with the same bits', async () => {
  const path = freshPath();
  await model.save(path);
  expect(readdirSync(path).sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
  await using loaded = await loadModel(path);
  expect(await logitsOf(loaded)).toEqual(await logitsOf(model));
  expect(internalsOf(loaded).description.eosTokens).toEqual(Int32Array.of(2, 3));
  expect(json(path, 'config.json')).toMatchObject({
    ...config,
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    torch_dtype: 'float32',
    intermediate_size: 64,
    head_dim: 4,
  });
  expect(json(path, 'generation_config.json')).toEqual({ bos_token_id: 1, eos_token_id: [2, 3] });
  expect(leftovers()).toEqual([]);
});

test('bf16 weights stay bf16', async () => {
  const path = freshPath();
  await using short = await createModel(config, { dtype: 'bf16' });
  await short.save(path);
  expect(json(path, 'config.json')).toMatchObject({ torch_dtype: 'bfloat16' });
  await using loaded = await loadModel(path);
  expect(loaded.info.dtype).toBe('bf16');
  expect(await logitsOf(loaded)).toEqual(await logitsOf(short));
});

test('several files with an index above the limit', async () => {
  const path = freshPath();
  await saveModel(internalsOf(model), path, {}, 4000);
  const files = readdirSync(path).filter((name) => name.endsWith('.safetensors'));
  expect(files.length).toBeGreaterThan(2);
  expect(files[0]).toBe(`model-00001-of-${String(files.length).padStart(5, '0')}.safetensors`);
  expect(json(path, 'model.safetensors.index.json')).toMatchObject({
    metadata: { total_size: 4 * model.info.parameters },
  });
  await using loaded = await loadModel(path);
  expect(await logitsOf(loaded)).toEqual(await logitsOf(model));
});

test('shards hold the tensors in order; one above the limit is alone', () => {
  const spec = (name: string, elements: number) => ({ name, shape: [elements] });
  const specs = [spec('a', 1), spec('b', 1), spec('huge', 9), spec('c', 2), spec('d', 1)];
  const names = planShards(specs, 'F32', 12).map((shard) => shard.map(({ name }) => name));
  expect(names).toEqual([['a', 'b'], ['huge'], ['c', 'd']]);
});

describe('folders that exist', () => {
  test('an empty one is filled', async () => {
    const path = freshPath();
    mkdirSync(path);
    await model.save(path);
    expect(existsSync(join(path, 'model.safetensors'))).toBe(true);
    expect(leftovers()).toEqual([]);
  });

  test('a model is replaced when asked, and stays otherwise', async () => {
    const path = freshPath();
    await using other = await createModel(config, { seed: 8 });
    await saveModel(internalsOf(other), path, {}, 4000);
    const before = readdirSync(path);
    const error = await errorOf(() => model.save(path));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toBe(
      `folder: ${path} holds a model; choose another folder or pass overwrite: true`,
    );
    expect(readdirSync(path)).toEqual(before);
    await model.save(path, { overwrite: true });
    expect(readdirSync(path).sort()).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
    await using loaded = await loadModel(path);
    expect(await logitsOf(loaded)).toEqual(await logitsOf(model));
    expect(leftovers()).toEqual([]);
  });

  test('a model can be saved over the folder that it was loaded from', async () => {
    const path = freshPath();
    await model.save(path);
    await using loaded = await loadModel(path);
    await loaded.save(path, { overwrite: true });
    await using again = await loadModel(path);
    expect(await logitsOf(again)).toEqual(await logitsOf(model));
  });

  test('a folder with anything else in it is never touched', async () => {
    const path = freshPath();
    mkdirSync(path);
    writeFileSync(join(path, 'thesis.docx'), 'years of work');
    const error = await errorOf(() => model.save(path, { overwrite: true }));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toContain(`${path} holds "thesis.docx", which is no file of a model`);
    expect(readdirSync(path)).toEqual(['thesis.docx']);
  });

  test('a file is no folder', async () => {
    const path = freshPath();
    writeFileSync(path, '');
    expect((await errorOf(() => model.save(path))).message).toBe(
      `folder: ${path} is a file; give the path of a folder`,
    );
    const inside = await errorOf(() => model.save(join(path, 'inside')));
    expect(inside.message).toContain('is a file');
  });
});

test('where nothing can be written, nothing is left', async () => {
  const error = await errorOf(() => model.save('/proc/makesomenoise/model'));
  expect(error.code).toBe('ERR_CHECKPOINT');
  expect(error.message).toContain('/proc/makesomenoise/model');
});

test('an aborted save leaves nothing', async () => {
  const path = freshPath();
  const error = await errorOf(() => model.save(path, { signal: AbortSignal.abort() }));
  expect(error.code).toBe('ERR_ABORTED');
  expect(existsSync(path)).toBe(false);
  expect(leftovers()).toEqual([]);
});

test('options are checked', async () => {
  expect((await errorOf(() => model.save(''))).message).toContain('folder: expected a path');
  expect((await errorOf(() => model.save('x', { overwrit: true } as never))).message).toContain(
    'unknown option',
  );
});

/** A file system of 64 KiB, when this process may mount one. */
function mountTiny(path: string): boolean {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
const tiny = join(folder, 'tiny');
mounted = process.platform === 'linux' && mountTiny(tiny);
(mounted ? test : test.skip)(
  'a full disk leaves nothing half-written (needs the right to mount)',
  async () => {
    await using large = await createModel({ ...config, vocab_size: 4000 });
    const path = join(tiny, 'model');
    const error = await errorOf(() => large.save(path));
    expect(error.code).toBe('ERR_CHECKPOINT');
    expect(error.message).toMatch(/no space left on (the )?device/i);
    expect(error.message).toContain(tiny);
    expect(readdirSync(tiny)).toEqual([]);
    await using small = await createModel({ ...config, intermediate_size: 16, num_hidden_layers: 1 });
    await small.save(path);
    const overwriting = await errorOf(() => large.save(path, { overwrite: true }));
    expect(overwriting.code).toBe('ERR_CHECKPOINT');
    expect(readdirSync(tiny)).toEqual(['model']);
    await using intact = await loadModel(path);
    expect(await logitsOf(intact)).toEqual(await logitsOf(small));
  },
);

describeShared('models with a tokenizer', () => {
  const stories = join(sharedFolder, 'models', 'stories260K');

  test('the whole folder survives: config, generation config, tokenizer', async () => {
    const path = freshPath();
    await using original = await loadModel(stories);
    await original.save(path);
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
      expect(readFileSync(join(path, file))).toEqual(readFileSync(join(stories, file)));
    }
    expect(json(path, 'config.json')).toEqual(json(stories, 'config.json'));
    expect(json(path, 'generation_config.json')).toEqual(json(stories, 'generation_config.json'));
    await using loaded = await loadModel(path);
    expect(await logitsOf(loaded)).toEqual(await logitsOf(original));
    expect(await loaded.tokenizer.encode('Once')).toEqual(await original.tokenizer.encode('Once'));
  });

  test('a new model takes its vocabulary from a tokenizer', async () => {
    const source = freshPath();
    mkdirSync(source);
    copyFileSync(join(stories, 'tokenizer.json'), join(source, 'tokenizer.json'));
    copyFileSync(join(stories, 'tokenizer_config.json'), join(source, 'tokenizer_config.json'));
    const { vocab_size: _, ...rest } = config;
    await using created = await createModel(rest, { tokenizer: source });
    expect(created.info.vocabularySize).toBe(512);
    const path = freshPath();
    await created.save(path);
    expect(json(path, 'config.json')).toMatchObject({ vocab_size: 512, bos_token_id: 1, eos_token_id: 2 });
    await using loaded = await loadModel(path);
    expect(loaded.hasTokenizer).toBe(true);
    expect(internalsOf(loaded).description.eosTokens).toEqual(Int32Array.of(2));
  });
});
