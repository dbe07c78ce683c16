import { writeFileSync } from 'node:fs';
import type {
  NativeModelShape,
  NativeTensorEntry,
  NativeTensorSpec,
  SafetensorsDtype,
} from '../../ts/native/contract';
import { type TestModel, folderShape, modelFolder } from '../support/models';
import { tinyShape } from '../support/shapes';
import { Safetensors } from '../support/safetensors';
import { temporaryFile } from '../support/temporary-folder';
import { describeShared, loadTesting } from '../support/testing';

const native = loadTesting();
const shape = tinyShape({ attentionBias: true, queryKeyNorm: true, tiedHead: false });
const specs = native.tensorSpecs!({ ...shape }) as NativeTensorSpec[];
const elements = (spec: NativeTensorSpec) => spec.shape.reduce((a, b) => a * b, 1);

/** Values that f16 and bf16 hold exactly. */
const valueAt = (tensor: number, element: number) => (((tensor * 7 + element * 3) % 61) - 30) / 32;
const encoders: Record<'F64' | 'F32' | 'BF16' | 'F16', (values: number[]) => ArrayBufferView> = {
  F64: (values) => Float64Array.from(values),
  F32: (values) => Float32Array.from(values),
  BF16: (values) =>
    Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16),
  F16: (values) =>
    Uint16Array.from(values, (value) => {
      if (value === 0) return 0;
      const exponent = Math.floor(Math.log2(Math.abs(value)));
      const mantissa = (Math.abs(value) / 2 ** exponent - 1) * 1024;
      return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
    }),
};

/** A file of all tensors of the shape; `change` may replace single values. */
function written(
  dtype: keyof typeof encoders,
  change: (name: string, values: number[]) => number[] = (_, values) => values,
): NativeTensorEntry[] {
  const parts: Uint8Array[] = [Buffer.alloc(1)]; // odd offsets: no alignment is promised
  let begin = 1;
  const file = temporaryFile('model.safetensors', '');
  const entries = specs.map((spec, index) => {
    const values = Array.from({ length: elements(spec) }, (_, element) => valueAt(index, element));
    const view = encoders[dtype](change(spec.name, values));
    parts.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    const entry = {
      name: spec.name,
      dtype: dtype as SafetensorsDtype,
      shape: spec.shape,
      file,
      begin,
      end: begin + view.byteLength,
    };
    begin = entry.end;
    return entry;
  });
  writeFileSync(file, Buffer.concat(parts));
  return entries;
}
const make = (args: Record<string, unknown>) => native.makeModel!({ shape, ...args }) as TestModel;
const readBack = (model: TestModel, spec: NativeTensorSpec) =>
  native.readModelTensor!({ model, spec }) as ArrayBuffer;

describe('packing', () => {
  test.each(['F64', 'F32', 'BF16', 'F16'] as const)('%s weights come back as they were', (dtype) => {
    const tensors = written(dtype);
    for (const [computed, decode] of [
      ['f32', (bytes: ArrayBuffer) => new Float32Array(bytes)],
      [
        'bf16',
        (bytes: ArrayBuffer) =>
          new Float32Array(Uint32Array.from(new Uint16Array(bytes), (bits) => bits << 16).buffer),
      ],
    ] as const) {
      const model = make({ tensors, dtype: computed, threads: 2 });
      specs.forEach((spec, index) =>
        expect(Array.from(decode(readBack(model, spec)))).toEqual(
          Array.from({ length: elements(spec) }, (_, element) => valueAt(index, element)),
        ),
      );
    }
  });
  test('f32 is rounded to the nearest bf16, ties to even', () => {
    const inputs = [1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20, -1 - 2 ** -9, 3e38];
    const rounded = [1, 1 + 4 * 2 ** -8, 1 + 2 ** -7, -1, 3.004e38];
    for (const name of ['model.norm.weight', 'lm_head.weight']) {
      const tensors = written('F32', (own, values) =>
        own === name ? values.map((v, i) => inputs[i] ?? v) : values,
      );
      const bits = new Uint16Array(
        readBack(
          make({ tensors, dtype: 'bf16' }),
          specs.find((spec) => spec.name === name)!,
        ),
      );
      const found = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
      rounded.forEach((value, i) => expect(found[i]! / value).toBeCloseTo(1, 3));
      expect([...found.slice(0, 4)]).toEqual(rounded.slice(0, 4));
    }
  });
  test('progress goes up to the whole', () => {
    const told: Array<[number, number]> = [];
    make({ seed: 1, dtype: 'bf16', onProgress: (done: number, total: number) => told.push([done, total]) });
    const total = 2 * specs.reduce((sum, spec) => sum + elements(spec), 0);
    expect(told.at(-1)).toEqual([total, total]);
    expect(told.every(([done], i) => i === 0 || done > told[i - 1]![0])).toBe(true);
    expect(told.length).toBeGreaterThan(shape.layers * 4);
  });
  test('takes little more memory than the weights', () => {
    const wide: NativeModelShape = tinyShape({
      hiddenSize: 256,
      intermediateSize: 512,
      headDim: 64,
      vocabularySize: 999,
    });
    for (const [dtype, size] of [
      ['f32', 4],
      ['bf16', 2],
    ] as const) {
      const model = native.makeModel!({ shape: wide, seed: 1, dtype });
      const weights = size * (native.parameterCount!({ ...wide }) as number);
      expect(native.weightBytes!({ model })).toBeGreaterThanOrEqual(weights);
      expect(native.weightBytes!({ model })).toBeLessThan(1.1 * weights);
    }
  });
});

describe('refusals', () => {
  const format = (message: string) => expect.objectContaining({ code: 'ERR_MODEL_FORMAT', message });
  const damaged = 'is NaN or infinite; the file is damaged, or the training that wrote it diverged';

  test.each(['F64', 'F32', 'BF16', 'F16'] as const)('NaN and infinity in %s', (dtype) => {
    const encode = encoders[dtype];
    const special: Record<string, [number, number]> = {
      F64: [0, 0],
      F32: [0, 0],
      BF16: [0x7fc0, 0xff80],
      F16: [0x7e00, 0x7c00],
    };
    for (const [i, value] of [NaN, -Infinity].entries())
      for (const name of ['model.layers.1.mlp.up_proj.weight', 'model.layers.0.self_attn.k_proj.bias']) {
        encoders[dtype] = (values) => {
          const view = encode(values.map((v) => (Number.isFinite(v) ? v : 0)));
          const bad = values.findIndex((v) => !Number.isFinite(v));
          const list = view as Float64Array;
          if (bad >= 0) list[bad] = dtype === 'F64' || dtype === 'F32' ? value : special[dtype]![i]!;
          return view;
        };
        const tensors = written(dtype, (own, values) =>
          own === name ? values.map((v, at) => (at === 5 ? value : v)) : values,
        );
        expect(() => make({ tensors })).toThrow(format(`${name}: element 5 ${damaged}`));
      }
    encoders[dtype] = encode;
  });
  test('an F64 value beyond the range of f32', () => {
    const tensors = written('F64', (own, values) =>
      own === 'model.norm.weight' ? values.with(2, 1e39) : values,
    );
    expect(() => make({ tensors })).toThrow(format(`model.norm.weight: element 2 ${damaged}`));
  });
  test('integers instead of floats', () => {
    const tensors = written('F32').map((entry) =>
      entry.name === 'model.norm.weight' ? { ...entry, dtype: 'I32' as const } : entry,
    );
    expect(() => make({ tensors })).toThrow(format('model.norm.weight: expected floats, found I32'));
  });
  test('a missing tensor and a misshapen one', () => {
    const tensors = written('F32');
    const name = 'model.layers.1.self_attn.q_norm.weight';
    expect(() => make({ tensors: tensors.filter((entry) => entry.name !== name) })).toThrow(
      format(`${name}: the model's files do not hold this tensor`),
    );
    const transposed = tensors.map((entry) =>
      entry.name.endsWith('0.mlp.down_proj.weight') ? { ...entry, shape: [24, 16] } : entry,
    );
    expect(() => make({ tensors: transposed })).toThrow(
      format(
        `${tensors[0]!.file}: tensor "model.layers.0.mlp.down_proj.weight" has the shape [24, 16], expected [16, 24] (config.json)`,
      ),
    );
  });
  test('a shape that makes no sense', () => {
    expect(() => native.makeModel!({ shape: { ...shape, kvHeads: 3 }, seed: 1 })).toThrow(
      format('num_key_value_heads: expected a divisor of num_attention_heads = 4, received 3'),
    );
  });
  test('a dtype that is not computed with', () => {
    expect(() => make({ seed: 1, dtype: 'f16' })).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED' }),
    );
  });
  test('a raised cancel token', () => {
    expect(() => make({ seed: 1, cancelled: true })).toThrow(
      expect.objectContaining({ code: 'ERR_ABORTED' }),
    );
  });
  test('reading a tensor that the model does not have', () => {
    const model = native.makeModel!({ shape: tinyShape(), seed: 1 }) as TestModel;
    for (const name of [
      'lm_head.weight',
      'model.layers.0.self_attn.q_proj.bias',
      'model.layers.2.input_layernorm.weight',
      'x',
    ])
      expect(() => readBack(model, { name, shape: [16] })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_ARGUMENT',
          message: `${name}: the model has no such tensor`,
        }),
      );
  });
});

describeShared('packing of a real file', () => {
  test('stories260K comes back as it was', () => {
    const folder = modelFolder('stories260K');
    const file = new Safetensors(`${folder}/model.safetensors`);
    const model = native.makeModel!({ shape: folderShape(folder), tensors: file.entries }) as TestModel;
    for (const { name, shape: sizes } of file.entries)
      expect(new Float32Array(readBack(model, { name, shape: sizes }))).toEqual(file.values(name));
  });
});
