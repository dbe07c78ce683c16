import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTesting } from '../support/testing';
import { tinyShape } from '../support/shapes';
import type { NativeTensorEntry } from '../../ts/native/contract';

const native = loadTesting();
const folder = mkdtempSync(join(tmpdir(), 'msn-tensors-'));
const file = join(folder, 'model.safetensors');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => writeFileSync(file, Buffer.from(Float32Array.from({ length: 64 }, (_, i) => i).buffer)));

const entry = (different: Partial<NativeTensorEntry> = {}): NativeTensorEntry => ({
  name: 'a',
  dtype: 'F32',
  shape: [2, 3],
  file,
  begin: 8,
  end: 32,
  ...different,
});
const read = (tensors: NativeTensorEntry[], name = 'a', shape = [2, 3], between?: () => void) =>
  (native.readTensors!({ tensors, specs: [{ name, shape }], between }) as ArrayBuffer[])[0]!;
const refusal = (message: string) => expect.objectContaining({ code: 'ERR_MODEL_FORMAT', message });

describe('MappedTensors', () => {
  test('hands out the bytes of a tensor, at any alignment', () => {
    expect(Array.from(new Float32Array(read([entry()])))).toEqual([2, 3, 4, 5, 6, 7]);
    const odd = read([entry({ dtype: 'U8', shape: [3], begin: 9, end: 12 })], 'a', [3]);
    expect(new Uint8Array(odd)).toEqual(new Uint8Array(Float32Array.of(2).buffer, 1, 3));
  });
  test('takes neighbours and empty tensors', () => {
    const tensors = [
      entry(),
      entry({ name: 'b', begin: 32, end: 56 }),
      entry({ name: 'c', shape: [0, 4], begin: 32, end: 32 }),
    ];
    expect(Array.from(new Float32Array(read(tensors, 'b')))).toEqual([8, 9, 10, 11, 12, 13]);
  });
  test.each<[string, NativeTensorEntry[], string]>([
    [
      'a range that ends before it begins',
      [entry({ begin: 40 })],
      'tensor "a" lies at bytes 40 to 32, which is no range',
    ],
    [
      'a negative offset',
      [entry({ begin: -8, end: 16 })],
      'tensor "a" lies at bytes -8 to 16, which is no range',
    ],
    [
      'a range behind the end of the file',
      [entry({ begin: 240, end: 264 })],
      'tensor "a" lies at bytes 240 to 264, but the file ends at 256; it may be truncated: fetch it again',
    ],
    [
      'a shape that does not fill its bytes',
      [entry({ shape: [2, 4] })],
      'tensor "a" has 24 bytes, which do not hold [2, 4] of F32',
    ],
    [
      'a dtype that does not fill its bytes',
      [entry({ dtype: 'BF16' })],
      'tensor "a" has 24 bytes, which do not hold [2, 3] of BF16',
    ],
    [
      'a shape whose product overflows',
      [entry({ shape: [2 ** 40, 2 ** 40] })],
      'tensor "a" has 24 bytes, which do not hold [1099511627776, 1099511627776] of F32',
    ],
    [
      'a negative size',
      [entry({ shape: [-2, -3] })],
      'tensor "a" has 24 bytes, which do not hold [-2, -3] of F32',
    ],
    [
      'overlap',
      [entry(), entry({ name: 'b', begin: 28, end: 52 })],
      'tensors "a" and "b" overlap at byte 28',
    ],
    ['the same name twice', [entry(), entry({ begin: 32, end: 56 })], 'tensor "a" is listed twice'],
  ])('refuses %s', (_, tensors, message) => {
    expect(() => read(tensors)).toThrow(refusal(`${file}: ${message}`));
  });
  test('refuses a missing file and a folder', () => {
    const missing = join(folder, 'missing.safetensors');
    expect(() => read([entry({ file: missing })])).toThrow(
      refusal(`${missing}: cannot be opened: No such file or directory`),
    );
    const inner = join(folder, 'inner');
    mkdirSync(inner);
    expect(() => read([entry({ file: inner })])).toThrow(
      refusal(`${inner}: expected a file, found a folder`),
    );
  });
  test('refuses to read a missing tensor or one of another shape', () => {
    expect(() => read([entry()], 'b')).toThrow(refusal("b: the model's files do not hold this tensor"));
    expect(() => read([entry()], 'a', [3, 2])).toThrow(
      refusal(`${file}: tensor "a" has the shape [2, 3], expected [3, 2] (config.json)`),
    );
  });
  test('notices a file that shrinks under its hands', () => {
    expect(() => read([entry()], 'a', [2, 3], () => truncateSync(file, 20))).toThrow(
      refusal(`${file}: the file has become shorter while it was read; load the model again`),
    );
  });
});

describe('RandomTensors', () => {
  const shape = tinyShape({ vocabularySize: 501, hiddenSize: 51, attentionBias: true });
  const random = (seed: number, name: string, sizes: number[]) =>
    new Float32Array(
      (
        native.readTensors!({
          shape,
          seed,
          initializerRange: 0.5,
          specs: [{ name, shape: sizes }],
        }) as ArrayBuffer[]
      )[0]!,
    );
  const embedding = (seed: number) => random(seed, 'model.embed_tokens.weight', [501, 51]);

  test('draws normal weights of the given deviation', () => {
    const values = embedding(3);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 1.7);
    expect(Math.max(...values)).toBeGreaterThan(1.5);
  });
  test('norms are 1, biases 0', () => {
    expect(new Set(random(3, 'model.norm.weight', [51]))).toEqual(new Set([1]));
    expect(new Set(random(3, 'model.layers.1.self_attn.k_proj.bias', [8]))).toEqual(new Set([0]));
  });
  test('a value depends on seed, tensor and element alone', () => {
    expect(embedding(3)).toEqual(embedding(3));
    expect(embedding(3)).not.toEqual(embedding(4));
    const gate = random(3, 'model.layers.0.mlp.gate_proj.weight', [24, 51]);
    expect(Array.from(gate.slice(0, 8))).not.toEqual(Array.from(embedding(3).slice(0, 8)));
  });
  test('refuses a tensor that the shape does not have', () => {
    expect(() => random(3, 'lm_head.weight', [501, 51])).toThrow(
      refusal('lm_head.weight: a model of this shape has no such tensor'),
    );
  });
});
