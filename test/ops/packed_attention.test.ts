import { float64, gradientCheck, weighedSum, type Inputs } from '../support/gradients';
import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { packedAttention, packedAttentionBackward } = loadTesting();

interface Case {
  heads: number;
  kvHeads: number;
  headDim: number;
  lengths: number[];
  window?: number;
}

/** The forward pass in float64: [tokens, heads * headDim] and the log of the denominators [heads, tokens]. */
function attend({ heads, kvHeads, headDim, lengths, window = 0 }: Case, inputs: Inputs) {
  const { query, keys, values } = inputs as Record<'query' | 'keys' | 'values', Float64Array>;
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const output = new Float64Array(tokens * heads * headDim);
  const logSumExp = new Float64Array(heads * tokens);
  for (let head = 0; head < heads; ++head) {
    const kvHead = Math.floor(head / (heads / kvHeads));
    const row = (token: number): number => (kvHead * tokens + token) * headDim;
    let begin = 0;
    for (const length of lengths) {
      for (let i = begin; i < begin + length; ++i) {
        const first = window > 0 ? Math.max(begin, i - window + 1) : begin;
        const at = (i * heads + head) * headDim;
        const scores = [];
        for (let t = first; t <= i; ++t) {
          let score = 0;
          for (let d = 0; d < headDim; ++d) score += query[at + d]! * keys[row(t) + d]!;
          scores.push(score / Math.sqrt(headDim));
        }
        const highest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - highest));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        logSumExp[head * tokens + i] = highest + Math.log(sum);
        weights.forEach((weight, index) => {
          for (let d = 0; d < headDim; ++d)
            output[at + d]! += (weight / sum) * values[row(first + index) + d]!;
        });
      }
      begin += length;
    }
  }
  return { output, logSumExp };
}

function prepare(shape: Case, seed: number) {
  const { heads, kvHeads, headDim, lengths, window = 0 } = shape;
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const next = randomNumbers(seed);
  const double = (): number => 2 * next();
  const query = f32(randomArray(double, tokens * heads * headDim), tokens, heads, headDim);
  const keys = f32(randomArray(double, kvHeads * tokens * headDim), kvHeads, tokens, headDim);
  const values = f32(randomArray(next, kvHeads * tokens * headDim), kvHeads, tokens, headDim);
  const outputGradient = f32(randomArray(next, tokens * heads * headDim), tokens, heads * headDim);
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets[offsets.length - 1]! + length);
  const empty = (...sizes: number[]) =>
    f32(new Float32Array(sizes.reduce((a, b) => a * b, 1)).fill(NaN), ...sizes);
  const common = { query, keys, values, documentOffsets: i32(offsets), window };
  const forward = (engine: object) => {
    const result = { output: empty(tokens, heads * headDim), logSumExp: empty(heads, tokens) };
    packedAttention!({ ...engine, ...common, ...result });
    return result;
  };
  const backward = (engine: object) => {
    const gradients = {
      queryGradient: empty(tokens, heads, headDim),
      keysGradient: empty(kvHeads, tokens, headDim),
      valuesGradient: empty(kvHeads, tokens, headDim),
    };
    packedAttentionBackward!({ ...engine, ...common, ...forward(engine), outputGradient, ...gradients });
    return {
      query: gradients.queryGradient.data as Float32Array,
      keys: gradients.keysGradient.data as Float32Array,
      values: gradients.valuesGradient.data as Float32Array,
    };
  };
  const inputs = { query: float64(query.data), keys: float64(keys.data), values: float64(values.data) };
  return { forward, backward, inputs, outputGradient: outputGradient.data };
}

const cases: Case[] = [
  { heads: 1, kvHeads: 1, headDim: 2, lengths: [1] },
  { heads: 2, kvHeads: 2, headDim: 6, lengths: [1, 5, 2] },
  { heads: 4, kvHeads: 2, headDim: 16, lengths: [23, 9, 30] },
  { heads: 4, kvHeads: 1, headDim: 34, lengths: [70, 1, 12] },
  { heads: 3, kvHeads: 3, headDim: 32, lengths: [83, 50] },
  { heads: 3, kvHeads: 1, headDim: 64, lengths: [101] },
  { heads: 2, kvHeads: 1, headDim: 8, lengths: [50, 33], window: 7 },
  { heads: 2, kvHeads: 2, headDim: 10, lengths: [140], window: 33 },
  { heads: 1, kvHeads: 1, headDim: 4, lengths: [20], window: 1 },
  { heads: 1, kvHeads: 1, headDim: 4, lengths: [260, 5, 130] },
];

describe('packed attention', () => {
  test.each(cases)('forward equals float64: %o', (shape) => {
    const { forward, inputs } = prepare(shape, 3);
    const expected = attend(shape, inputs);
    onEveryEngine((engine) => {
      const { output, logSumExp } = forward(engine);
      expectClose(output.data, expected.output, 5e-6);
      expectClose(logSumExp.data, expected.logSumExp, 5e-6);
    });
  });

  test.each(cases)('backward equals differences of the float64 forward pass: %o', (shape) => {
    const { backward, inputs, outputGradient } = prepare(shape, 4);
    const objective = (at: Inputs): number => weighedSum(attend(shape, at).output, outputGradient);
    const samples = shape.lengths.some((length) => length > 60) ? 6 : 20;
    const check = gradientCheck(objective, inputs, { samples });
    onEveryEngine((engine) => check(backward(engine)));
  });

  test('threads and neighbours in the batch change no bit', () => {
    const shape = { heads: 4, kvHeads: 2, headDim: 24 };
    const lengths = [40, 260, 17, 90];
    const { forward, backward } = prepare({ ...shape, lengths }, 5);
    const one = { ...backward({ threads: 1 }), output: forward({ threads: 1 }).output.data as Float32Array };
    for (const threads of [2, 3]) {
      const many = backward({ threads });
      for (const name of ['query', 'keys', 'values'] as const) expectSameBits(many[name], one[name]);
      expectSameBits(forward({ threads }).output.data as Float32Array, one.output);
    }
    // The second document alone: its rows cut out of the same tensors.
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const next = randomNumbers(5);
    const double = (): number => 2 * next();
    const query = randomArray(double, tokens * 4 * 24);
    const [keys, values] = [double, next].map((draw) => randomArray(draw, 2 * tokens * 24)) as [
      Float32Array,
      Float32Array,
    ];
    const cut = (array: Float32Array): Float32Array =>
      Float32Array.from(
        [0, 1].flatMap((head) => [...array.subarray((head * tokens + 40) * 24, (head * tokens + 300) * 24)]),
      );
    const output = f32(new Float32Array(260 * 96), 260, 96);
    packedAttention!({
      query: f32(query.slice(40 * 96, 300 * 96), 260, 4, 24),
      keys: f32(cut(keys), 2, 260, 24),
      values: f32(cut(values), 2, 260, 24),
      documentOffsets: i32([0, 260]),
      output,
      logSumExp: f32(new Float32Array(4 * 260), 4, 260),
    });
    expectSameBits(output.data as Float32Array, one.output.slice(40 * 96, 300 * 96));
  });

  test('large scores stay finite', () => {
    const headDim = 4;
    const query = f32(new Float32Array(3 * headDim).fill(100), 3, 1, headDim);
    const keys = f32(
      Float32Array.from({ length: 3 * headDim }, (_, i) => (i < headDim ? -100 : 100)),
      1,
      3,
      headDim,
    );
    const values = f32(
      Float32Array.from({ length: 3 * headDim }, (_, i) => i),
      1,
      3,
      headDim,
    );
    onEveryEngine((engine) => {
      const output = f32(new Float32Array(3 * headDim), 3, headDim);
      const logSumExp = f32(new Float32Array(3), 1, 3);
      packedAttention!({ ...engine, query, keys, values, documentOffsets: i32([0, 3]), output, logSumExp });
      expectClose(output.data, [0, 1, 2, 3, 4, 5, 6, 7, 6, 7, 8, 9], 1e-6);
      expectClose(logSumExp.data, [-20000, 20000, 20000 + Math.log(2)], 1e-6);
    });
  });

  test('refuses shapes that do not fit', () => {
    const attempt = (change: object) => () =>
      packedAttention!({
        query: f32(new Float32Array(8), 2, 2, 2),
        keys: f32(new Float32Array(4), 1, 2, 2),
        values: f32(new Float32Array(4), 1, 2, 2),
        documentOffsets: i32([0, 2]),
        output: f32(new Float32Array(8), 2, 4),
        logSumExp: f32(new Float32Array(4), 2, 2),
        ...change,
      });
    expect(attempt({})).not.toThrow();
    expect(attempt({ values: f32(new Float32Array(2), 1, 1, 2) })).toThrow('packed_attention.values');
    expect(attempt({ output: f32(new Float32Array(4), 2, 2) })).toThrow('packed_attention.output');
    expect(attempt({ window: -1 })).toThrow('window');
  });
});
