import { float64, gradientCheck, weighedSum, type Inputs } from '../support/gradients';
import { expectSameBits, onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { splitHeadsBackward } = loadTesting();
const epsilon = 1e-3;

interface Case {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  normed: boolean;
}

/** Query [rows, heads, headDim], then keys and values [kvHeads, rows, headDim], in float64. */
function forward({ rows, heads, kvHeads, headDim, normed }: Case, rotary: Float32Array, inputs: Inputs) {
  const width = (heads + 2 * kvHeads) * headDim;
  const result = { query: [] as number[], keys: [] as number[], values: [] as number[] };
  const head = (row: number, index: number, norm: Float64Array | undefined, rotated: boolean): number[] => {
    const begin = row * width + index * headDim;
    let x = [...inputs.qkv!.subarray(begin, begin + headDim)];
    if (normed && norm) {
      const inverse = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / headDim + epsilon);
      x = x.map((value, i) => norm[i]! * value * inverse);
    }
    if (!rotated) return x;
    const half = headDim / 2;
    const table = rotary.subarray(row * headDim, (row + 1) * headDim);
    return x.map((value, i) =>
      i < half
        ? value * table[i]! - x[i + half]! * table[i + half]!
        : value * table[i - half]! + x[i - half]! * table[i]!,
    );
  };
  for (let row = 0; row < rows; ++row)
    for (let h = 0; h < heads; ++h) result.query.push(...head(row, h, inputs.queryNorm, true));
  for (let h = 0; h < kvHeads; ++h)
    for (let row = 0; row < rows; ++row) {
      result.keys.push(...head(row, heads + h, inputs.keyNorm, true));
      result.values.push(...head(row, heads + kvHeads + h, undefined, false));
    }
  return result;
}

function prepare(shape: Case) {
  const { rows, heads, kvHeads, headDim, normed } = shape;
  const next = randomNumbers(rows * 100 + headDim);
  const width = (heads + 2 * kvHeads) * headDim;
  const qkv = randomArray(next, rows * width);
  const [queryNorm, keyNorm] = [1, 2].map(() => randomArray(() => next() + 1.5, headDim)) as [
    Float32Array,
    Float32Array,
  ];
  const rotary = Float32Array.from({ length: rows * headDim }, (_, index) => {
    const [row, i] = [Math.floor(index / headDim), index % headDim];
    const half = headDim / 2;
    return i < half ? Math.cos(row / (1 + i)) : Math.sin(row / (1 + i - half));
  });
  const gradients = {
    query: randomArray(next, rows * heads * headDim),
    keys: randomArray(next, kvHeads * rows * headDim),
    values: randomArray(next, kvHeads * rows * headDim),
  };
  const run = (engine: object) => {
    const qkvGradient = f32(new Float32Array(rows * width).fill(NaN), rows, width);
    const queryNormGradient = f32(new Float32Array(headDim));
    const keyNormGradient = f32(new Float32Array(headDim));
    splitHeadsBackward!({
      ...{ ...engine, epsilon, rotary: f32(rotary, rows, headDim), qkvGradient },
      ...(normed && {
        ...{ qkv: f32(qkv, rows, width), queryNorm: f32(queryNorm), keyNorm: f32(keyNorm) },
        ...{ queryNormGradient, keyNormGradient },
      }),
      queryGradient: f32(gradients.query, rows, heads, headDim),
      keysGradient: f32(gradients.keys, kvHeads, rows, headDim),
      valuesGradient: f32(gradients.values, kvHeads, rows, headDim),
    });
    return {
      qkv: qkvGradient.data as Float32Array,
      ...(normed && {
        queryNorm: queryNormGradient.data as Float32Array,
        keyNorm: keyNormGradient.data as Float32Array,
      }),
    };
  };
  const inputs = { qkv: float64(qkv), queryNorm: float64(queryNorm), keyNorm: float64(keyNorm) };
  const objective = (at: Inputs): number => {
    const { query, keys, values } = forward(shape, rotary, at);
    return (
      weighedSum(query, gradients.query) +
      weighedSum(keys, gradients.keys) +
      weighedSum(values, gradients.values)
    );
  };
  return { run, objective, inputs };
}

describe('split heads, backward', () => {
  test.each<Case>([
    { rows: 1, heads: 1, kvHeads: 1, headDim: 2, normed: false },
    { rows: 9, heads: 4, kvHeads: 2, headDim: 6, normed: false },
    { rows: 9, heads: 4, kvHeads: 2, headDim: 6, normed: true },
    { rows: 40, heads: 3, kvHeads: 1, headDim: 34, normed: true },
  ])('gives the gradients of the fused projection and of the norms: %o', (shape) => {
    const { run, objective, inputs } = prepare(shape);
    const check = gradientCheck(objective, inputs);
    onEveryEngine((engine) => check(run(engine)));
  });

  test('threads change no bit', () => {
    const { run } = prepare({ rows: 200, heads: 4, kvHeads: 2, headDim: 16, normed: true });
    const one = run({ threads: 1 });
    const three = run({ threads: 3 });
    for (const name of ['qkv', 'queryNorm', 'keyNorm'] as const) expectSameBits(three[name]!, one[name]!);
  });
});
