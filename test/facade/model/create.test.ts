import { createModel, type ModelConfigInput } from '../../../ts/model';
import { internalsOf } from '../../../ts/model/model';
import { errorOf, temporaryFolder } from '../../support/folders';

const folder = temporaryFolder();
const config: ModelConfigInput = {
  vocab_size: 30,
  hidden_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 3,
};

const firstLogits = async (given: ModelConfigInput, options: Parameters<typeof createModel>[1]) => {
  await using model = await createModel(given, options);
  const { module, native } = internalsOf(model);
  const nothing = new Int32Array();
  return await native.logits(nothing, Int32Array.of(5), Int32Array.of(-1), 8, module.createCancelToken());
};

test('what is left out has defaults', async () => {
  await using model = await createModel(config);
  expect(internalsOf(model).description.config.shape).toMatchObject({
    kvHeads: 3,
    headDim: 8,
    intermediateSize: 64,
    contextLength: 2048,
    tiedHead: false,
    ropeTheta: 10000,
  });
  expect(model.info).toMatchObject({ architecture: 'LlamaForCausalLM', dtype: 'f32', layers: 1 });
});

test('the other architectures', async () => {
  const architectureOf = async (different: Partial<ModelConfigInput>) => {
    await using model = await createModel({ ...config, ...different });
    return [model.info.architecture, internalsOf(model).description.config.shape.window];
  };
  expect(await architectureOf({ model_type: 'mistral' })).toEqual(['MistralForCausalLM', 0]);
  expect(await architectureOf({ model_type: 'mistral', sliding_window: 8 })).toEqual([
    'MistralForCausalLM',
    8,
  ]);
  expect(await architectureOf({ model_type: 'qwen2' })).toEqual(['Qwen2ForCausalLM', 0]);
  expect(await architectureOf({ model_type: 'qwen3', head_dim: 10 })).toEqual(['Qwen3ForCausalLM', 0]);
});

test('weights are a function of config, seed and range', async () => {
  const logits = await firstLogits(config, { seed: 1 });
  expect(await firstLogits(config, { seed: 1 })).toEqual(logits);
  expect(await firstLogits(config, { seed: 2 })).not.toEqual(logits);
  expect(await firstLogits(config, { seed: 1, initializerRange: 0.2 })).not.toEqual(logits);
  expect(await firstLogits({ ...config, initializer_range: 0.2 }, { seed: 1 })).toEqual(
    await firstLogits(config, { seed: 1, initializerRange: 0.2 }),
  );
});

test.each<[object, string, string]>([
  [
    { hidden_siz: 3 },
    'ERR_INVALID_ARGUMENT',
    'config: unknown option "hidden_siz" (did you mean "hidden_size"?)',
  ],
  [{ hidden_size: -24 }, 'ERR_INVALID_ARGUMENT', 'config.hidden_size: expected an integer from 1'],
  [
    { hidden_size: 25 },
    'ERR_INVALID_ARGUMENT',
    'config.hidden_size: expected a multiple of num_attention_heads',
  ],
  [{ vocab_size: undefined }, 'ERR_INVALID_ARGUMENT', 'config.vocab_size: expected an integer'],
  [{ num_key_value_heads: 2 }, 'ERR_INVALID_ARGUMENT', 'config.num_key_value_heads: expected a divisor of'],
  [{ model_type: 'gpt2' }, 'ERR_UNSUPPORTED', 'config.architecture gpt2 is not supported'],
  [{ rope_scaling: { rope_type: 'yarn' } }, 'ERR_UNSUPPORTED', 'config.rope_scaling.rope_type: "yarn"'],
])('refused: %j', async (different, code, message) => {
  const error = await errorOf(() => createModel({ ...config, ...different }));
  expect(error.code).toBe(code);
  expect(error.message).toContain(message);
});

test('options are checked', async () => {
  const errorFor = (options: object) => errorOf(() => createModel(config, options));
  expect((await errorFor({ seed: -1 })).message).toContain('seed: expected an integer from 0 to 2^53 - 1');
  expect((await errorFor({ initializerRange: 0 })).message).toContain(
    'initializerRange: expected a number above 0',
  );
  expect((await errorFor({ tokenizer: folder })).message).toBe(`tokenizer: ${folder} has no tokenizer.json`);
  expect((await errorFor({ dtype: 'int8' })).code).toBe('ERR_UNSUPPORTED');
  expect((await errorFor({ signal: AbortSignal.abort() })).code).toBe('ERR_ABORTED');
  expect((await errorOf(() => createModel(undefined as never))).message).toContain(
    'config: expected an object',
  );
});
