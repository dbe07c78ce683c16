import { loadTesting } from '../support/testing';
import { tinyShape } from '../support/shapes';
import type { NativeTensorSpec } from '../../ts/native/contract';

const native = loadTesting();
const frequencies = (shape: object) => Array.from(native.inverseFrequencies!({ ...shape }) as Float64Array);

describe('check_shape', () => {
  test('accepts a sensible shape', () => {
    expect(() => native.checkShape!({ ...tinyShape() })).not.toThrow();
  });
  test.each([
    ['vocabularySize', 0, 'vocab_size: expected an integer from 1 to 1073741824, received 0'],
    ['hiddenSize', -8, 'hidden_size: expected an integer from 1 to 1073741824, received -8'],
    [
      'intermediateSize',
      2 ** 40,
      'intermediate_size: expected an integer from 1 to 1073741824, received 1099511627776',
    ],
    ['layers', 0, 'num_hidden_layers: expected an integer from 1 to 65536, received 0'],
    ['heads', 0, 'num_attention_heads: expected an integer from 1 to 65536, received 0'],
    ['kvHeads', 3, 'num_key_value_heads: expected a divisor of num_attention_heads = 4, received 3'],
    ['kvHeads', 8, 'num_key_value_heads: expected an integer from 1 to 4, received 8'],
    ['headDim', 5, 'head_dim: expected an even number, received 5'],
    ['contextLength', 0, 'max_position_embeddings: expected an integer from 1 to 1073741824, received 0'],
    ['window', -1, 'sliding_window: expected an integer from 0 to 1073741824, received -1'],
    ['normEpsilon', 0, 'rms_norm_eps: expected a positive number, received 0'],
    ['ropeTheta', Infinity, 'rope_theta: expected a positive number, received inf'],
  ])('refuses %s = %d', (field, value, message) => {
    expect(() => native.checkShape!({ ...tinyShape(), [field]: value })).toThrow(
      expect.objectContaining({ code: 'ERR_MODEL_FORMAT', message }),
    );
  });
  test('refuses a rope scaling that makes no sense', () => {
    const llama3 = { ropeKind: 'llama3', ropeFactor: 8, ropeOriginalLength: 64 };
    expect(() => native.checkShape!({ ...tinyShape(), ...llama3 })).not.toThrow();
    expect(() => native.checkShape!({ ...tinyShape(), ropeKind: 'linear', ropeFactor: 0 })).toThrow(
      'rope_scaling.factor: expected a positive number, received 0',
    );
    expect(() => native.checkShape!({ ...tinyShape(), ...llama3, ropeHighFreqFactor: 1 })).toThrow(
      'rope_scaling.high_freq_factor: expected a number above low_freq_factor, received 1',
    );
    expect(() => native.checkShape!({ ...tinyShape(), ...llama3, ropeOriginalLength: 0 })).toThrow(
      'rope_scaling.original_max_position_embeddings: expected a positive number, received 0',
    );
  });
});

describe('inverse_frequencies', () => {
  const headDim = 24;
  const plain = (theta: number) =>
    Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));

  test('default', () => {
    const expected = plain(1e5);
    frequencies(tinyShape({ headDim, ropeTheta: 1e5 })).forEach((value, i) =>
      expect(value).toBeCloseTo(expected[i]!, 15),
    );
  });
  test('linear scaling divides by the factor', () => {
    const expected = plain(1e4);
    frequencies(tinyShape({ headDim, ropeKind: 'linear', ropeFactor: 4 })).forEach((value, i) =>
      expect(value).toBeCloseTo(expected[i]! / 4, 15),
    );
  });
  test('llama3 scaling keeps fast frequencies and divides slow ones', () => {
    const shape = tinyShape({
      headDim,
      ropeKind: 'llama3',
      ropeTheta: 5e5,
      ropeFactor: 8,
      ropeOriginalLength: 64,
    });
    const expected = plain(5e5);
    const factors = frequencies(shape).map((value, i) => value / expected[i]!);
    expect(factors[0]).toBeCloseTo(1, 12);
    expect(factors[1]).toBeCloseTo(0.829, 3);
    expect(factors[2]).toBeCloseTo(0.167, 3);
    for (const factor of factors.slice(3)) expect(factor).toBeCloseTo(0.125, 12);
  });
});

describe('tensor_specs', () => {
  test('lists a Qwen2 layer with its biases and an untied head last', () => {
    const specs = native.tensorSpecs!({ ...tinyShape({ layers: 1, attentionBias: true, tiedHead: false }) });
    expect(specs).toEqual<NativeTensorSpec[]>([
      { name: 'model.embed_tokens.weight', shape: [24, 16] },
      { name: 'model.layers.0.input_layernorm.weight', shape: [16] },
      { name: 'model.layers.0.self_attn.q_proj.weight', shape: [16, 16] },
      { name: 'model.layers.0.self_attn.k_proj.weight', shape: [8, 16] },
      { name: 'model.layers.0.self_attn.v_proj.weight', shape: [8, 16] },
      { name: 'model.layers.0.self_attn.q_proj.bias', shape: [16] },
      { name: 'model.layers.0.self_attn.k_proj.bias', shape: [8] },
      { name: 'model.layers.0.self_attn.v_proj.bias', shape: [8] },
      { name: 'model.layers.0.self_attn.o_proj.weight', shape: [16, 16] },
      { name: 'model.layers.0.post_attention_layernorm.weight', shape: [16] },
      { name: 'model.layers.0.mlp.gate_proj.weight', shape: [24, 16] },
      { name: 'model.layers.0.mlp.up_proj.weight', shape: [24, 16] },
      { name: 'model.layers.0.mlp.down_proj.weight', shape: [16, 24] },
      { name: 'model.norm.weight', shape: [16] },
      { name: 'lm_head.weight', shape: [24, 16] },
    ]);
  });
  test('counts the parameters of what it lists', () => {
    const shape = tinyShape({ queryKeyNorm: true, headDim: 6 });
    const specs = native.tensorSpecs!({ ...shape }) as NativeTensorSpec[];
    const total = specs.reduce((sum, spec) => sum + spec.shape.reduce((a, b) => a * b, 1), 0);
    expect(native.parameterCount!({ ...shape })).toBe(total);
    expect(specs.filter((spec) => /[qk]_norm/.test(spec.name)).map((spec) => spec.shape)).toEqual([
      [6],
      [6],
      [6],
      [6],
    ]);
  });
});
