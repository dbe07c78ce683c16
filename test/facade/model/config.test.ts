import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../../ts/model/config';
import { errorOf } from '../../support/folders';
import { describeShared, sharedFolder } from '../../support/testing';

const llama = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 100,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};
const parse = (different: object, base: object = llama) =>
  parseConfig({ ...base, ...different }, 'config.json: ', 'ERR_MODEL_FORMAT');
const errorFor = (different: object, base: object = llama) => errorOf(() => parse(different, base));

test('a minimal Llama gets the defaults of transformers', () => {
  expect(parse({})).toMatchObject({
    architecture: 'LlamaForCausalLM',
    storedDtype: undefined,
    initializerRange: 0.02,
    eosTokens: [],
    shape: {
      kvHeads: 4,
      headDim: 16,
      contextLength: 2048,
      window: 0,
      normEpsilon: 1e-6,
      tiedHead: false,
      attentionBias: false,
      queryKeyNorm: false,
      ropeKind: 'default',
      ropeTheta: 10000,
    },
  });
  expect(parse({ num_key_value_heads: null, head_dim: null }).shape).toMatchObject({
    kvHeads: 4,
    headDim: 16,
  });
  expect(parse({ model_type: undefined }).architecture).toBe('LlamaForCausalLM');
  expect(parse({ architectures: undefined }).architecture).toBe('LlamaForCausalLM');
  expect(parse({ eos_token_id: [2, 7] }).eosTokens).toEqual([2, 7]);
});

test('RoPE in the old spelling, the oldest and the new one', () => {
  expect(parse({ rope_theta: 5e5, rope_scaling: { type: 'linear', factor: 4 } }).shape).toMatchObject({
    ropeKind: 'linear',
    ropeTheta: 5e5,
    ropeFactor: 4,
  });
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 64,
  };
  const expected = { ropeKind: 'llama3', ropeFactor: 8, ropeHighFreqFactor: 4, ropeOriginalLength: 64 };
  expect(parse({ rope_scaling: { rope_type: 'llama3', ...llama3 } }).shape).toMatchObject(expected);
  const modern = parse({ rope_parameters: { rope_type: 'llama3', rope_theta: 7e5, ...llama3 } }).shape;
  expect(modern).toMatchObject({ ...expected, ropeTheta: 7e5 });
  expect(parse({ rope_scaling: { rope_type: 'default' } }).shape.ropeKind).toBe('default');
});

const qwen2 = { ...llama, model_type: 'qwen2', architectures: ['Qwen2ForCausalLM'], num_key_value_heads: 2 };
const mistral = { ...qwen2, model_type: 'mistral', architectures: ['MistralForCausalLM'] };
const full = ['full_attention', 'full_attention'];
const sliding = ['sliding_attention', 'sliding_attention'];

test('the sliding window of each architecture', () => {
  const window = (different: object, base: object) => parse(different, base).shape.window;
  expect(window({}, mistral)).toBe(4096);
  expect(window({ sliding_window: null }, mistral)).toBe(0);
  expect(window({ sliding_window: 16 }, mistral)).toBe(16);
  expect(window({ sliding_window: 16 }, llama)).toBe(0);
  expect(window({ sliding_window: 32, use_sliding_window: false }, qwen2)).toBe(0);
  expect(window({ sliding_window: 32, use_sliding_window: true, max_window_layers: 0 }, qwen2)).toBe(32);
  expect(window({ sliding_window: 32, use_sliding_window: true, max_window_layers: 2 }, qwen2)).toBe(0);
  expect(window({ sliding_window: 32, use_sliding_window: true, layer_types: sliding }, qwen2)).toBe(32);
  expect(window({ sliding_window: 32, use_sliding_window: true, layer_types: full }, qwen2)).toBe(0);
});

test('what an architecture has without saying so', () => {
  const qwen3 = { ...qwen2, model_type: 'qwen3', architectures: ['Qwen3ForCausalLM'] };
  expect(parse({}, qwen2).shape).toMatchObject({ attentionBias: true, queryKeyNorm: false, headDim: 16 });
  expect(parse({}, qwen3).shape).toMatchObject({ attentionBias: false, queryKeyNorm: true, headDim: 128 });
});

test.each<[object, string]>([
  [{ model_type: 'gemma2', architectures: ['Gemma2ForCausalLM'] }, 'architecture Gemma2ForCausalLM'],
  [{ model_type: 'constructor', architectures: undefined }, 'architecture constructor'],
  [{ architectures: ['LlamaForSequenceClassification'] }, 'LlamaForSequenceClassification'],
  [{ rope_scaling: { rope_type: 'yarn', factor: 2 } }, 'rope_scaling.rope_type: "yarn"'],
  [{ rope_scaling: { type: 'dynamic', factor: 2 } }, 'rope_scaling.type: "dynamic"'],
  [{ rope_parameters: { rope_type: 'longrope' } }, 'rope_parameters.rope_type: "longrope"'],
  [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor: 0.5'],
  [{ hidden_act: 'gelu' }, 'hidden_act: "gelu"'],
  [{ attention_bias: true }, 'attention_bias: true'],
  [{ mlp_bias: true }, 'mlp_bias: true'],
  [{ quantization_config: { quant_method: 'gptq' } }, 'quantization_config: "gptq"'],
  [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types: "a mixture"'],
  [{ layer_types: ['linear_attention', 'linear_attention'] }, 'layer_types: "linear_attention"'],
])('refused by name: %j', async (different, named) => {
  const error = await errorFor(different);
  expect(error.code).toBe('ERR_UNSUPPORTED');
  expect(error.message).toContain(`config.json: ${named}`.replace('json: Llama', 'json: architecture Llama'));
});

test('windows from some layer on are refused', async () => {
  const mixed = { sliding_window: 32, use_sliding_window: true, max_window_layers: 1 };
  expect(await errorFor(mixed, qwen2)).toMatchObject({ code: 'ERR_UNSUPPORTED' });
});

test.each<[object, string]>([
  [
    { model_type: undefined, architectures: undefined },
    'model_type: expected llama, mistral, qwen2, qwen3, but',
  ],
  [{ hidden_size: undefined }, 'hidden_size: expected an integer from 1 to 1073741824, but it is missing'],
  [{ hidden_size: '64' }, 'hidden_size: expected an integer from 1 to 1073741824, received "64"'],
  [{ hidden_size: 62 }, 'hidden_size: expected a multiple of num_attention_heads = 4, received 62'],
  [{ vocab_size: -1 }, 'vocab_size: expected an integer'],
  [{ num_hidden_layers: 2.5 }, 'num_hidden_layers: expected an integer from 1 to 65536, received 2.5'],
  [
    { num_key_value_heads: 3 },
    'num_key_value_heads: expected a divisor of num_attention_heads = 4, received 3',
  ],
  [{ head_dim: 15 }, 'head_dim: expected an even number'],
  [{ rms_norm_eps: 0 }, 'rms_norm_eps: expected a positive number, received 0'],
  [{ tie_word_embeddings: 'yes' }, 'tie_word_embeddings: expected true or false, received "yes"'],
  [{ rope_theta: -1 }, 'rope_theta: expected a positive number, received -1'],
  [{ rope_scaling: 4 }, 'rope_scaling: expected an object, received 4'],
  [
    { rope_scaling: { type: 'linear' } },
    'rope_scaling.factor: expected a positive number, but it is missing',
  ],
  [{ eos_token_id: 'two' }, 'eos_token_id: expected a token id or an array of them, received "two"'],
  [
    { layer_types: ['full_attention'] },
    'layer_types: expected 2 names, one for each layer, received an array of 1',
  ],
  [{ architectures: 'LlamaForCausalLM' }, 'architectures: expected an array of strings'],
])('nonsense: %j', async (different, message) => {
  const error = await errorFor(different);
  expect(error.code).toBe('ERR_MODEL_FORMAT');
  expect(error.message).toContain(`config.json: ${message}`);
});

describeShared('reference models', () => {
  const read = (folder: string, file: string) =>
    JSON.parse(readFileSync(join(sharedFolder, 'reference', folder, file), 'utf8')) as object;

  test.each(['llama3-rope', 'llama-linear-rope', 'mistral-window', 'qwen2-bias', 'llama-gqa-untied'])(
    '%s is the same in both styles',
    (folder) => {
      const file = join(sharedFolder, 'reference', folder, 'config.transformers5.json');
      const modern = existsSync(file) ? 'config.transformers5.json' : 'config.json';
      expect(parse({}, read(folder, modern)).shape).toEqual(parse({}, read(folder, 'config.json')).shape);
    },
  );

  test('the traps of old files', () => {
    const shape = (folder: string) => parse({}, read(folder, 'config.json')).shape;
    expect(shape('llama-linear-rope')).toMatchObject({ ropeKind: 'linear', ropeFactor: 4, ropeTheta: 10000 });
    expect(shape('qwen2-bias')).toMatchObject({ window: 0, attentionBias: true, headDim: 14 });
    expect(shape('mistral-window')).toMatchObject({ window: 16 });
    expect(shape('qwen3-qknorm')).toMatchObject({ headDim: 16, queryKeyNorm: true });
    expect(shape('llama3-rope')).toMatchObject({
      ropeKind: 'llama3',
      ropeTheta: 5e5,
      ropeOriginalLength: 64,
    });
  });
});
