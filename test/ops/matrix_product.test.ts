import fc from 'fast-check';

import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { matrixProduct, columnSum } = loadTesting();

interface Case {
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  withBias?: boolean;
  accumulate?: boolean;
  seed?: number;
}

function prepare({ m, n, k, transposeA = false, transposeB = false, withBias, accumulate, seed = 1 }: Case) {
  const next = randomNumbers(seed);
  const a = randomArray(next, m * k);
  const b = randomArray(next, k * n);
  const bias = withBias ? randomArray(next, n) : undefined;
  const start = randomArray(next, m * n);
  const run = (engine: object): Float32Array => {
    const c = f32(start, m, n);
    matrixProduct!({
      ...engine,
      a: transposeA ? f32(a, k, m) : f32(a, m, k),
      b: transposeB ? f32(b, n, k) : f32(b, k, n),
      ...{ transposeA, transposeB, accumulate, c },
      bias: bias && f32(bias, n),
    });
    return c.data as Float32Array;
  };
  const expected = (): Float64Array => {
    const c = new Float64Array(m * n);
    for (let i = 0; i < m; ++i)
      for (let j = 0; j < n; ++j) {
        let sum = accumulate ? start[i * n + j]! : (bias?.[j] ?? 0);
        for (let step = 0; step < k; ++step)
          sum += a[transposeA ? step * m + i : i * k + step]! * b[transposeB ? j * k + step : step * n + j]!;
        c[i * n + j] = sum;
      }
    return c;
  };
  return { run, expected };
}

describe('matrix product', () => {
  test('equals float64 for any shape, transposition, bias and start', () => {
    const size = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(
        fc.record({
          m: size,
          n: size,
          k: size,
          transposeA: fc.boolean(),
          transposeB: fc.boolean(),
          add: fc.constantFrom('nothing', 'bias', 'start'),
          seed: fc.nat(1000),
        }),
        ({ add, ...sizes }) => {
          const { run, expected } = prepare({
            ...sizes,
            withBias: add === 'bias',
            accumulate: add === 'start',
          });
          const truth = expected();
          onEveryEngine((engine) => expectClose(run(engine), truth, 1e-5));
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each<Case>([
    { m: 83, n: 96, k: 1330, transposeA: true, accumulate: true },
    { m: 30, n: 40, k: 1024 }, // rows of A a page apart
    { m: 25, n: 33, k: 1024, transposeB: true, withBias: true },
    { m: 500, n: 7, k: 385 },
    { m: 1, n: 300, k: 769, transposeB: true },
  ])('equals float64 where the sum is cut into blocks: %o', (sizes) => {
    const { run, expected } = prepare(sizes);
    const truth = expected();
    onEveryEngine((engine) => expectClose(run(engine), truth, 2e-5));
  });

  test('gives the same bits with one thread and with many', () => {
    for (const sizes of [
      { m: 1330, n: 128, k: 384, transposeB: true },
      { m: 384, n: 128, k: 1330, transposeA: true, accumulate: true },
      { m: 13, n: 1000, k: 500 },
    ]) {
      const { run } = prepare(sizes);
      const one = run({ threads: 1 });
      for (const threads of [2, 3, 5]) expectSameBits(run({ threads }), one);
    }
  });

  test('a row has the same bits alone and among others', () => {
    const [m, n, k] = [50, 70, 400];
    const next = randomNumbers(7);
    const a = randomArray(next, m * k);
    const b = f32(randomArray(next, n * k), n, k);
    onEveryEngine((engine) => {
      const product = (rows: Float32Array): Float32Array => {
        const c = f32(new Float32Array((rows.length / k) * n), rows.length / k, n);
        matrixProduct!({ ...engine, a: f32(rows, rows.length / k, k), b, transposeB: true, c });
        return c.data as Float32Array;
      };
      const all = product(a);
      for (const row of [0, 11, 37, 49])
        expectSameBits(product(a.slice(row * k, (row + 1) * k)), all.slice(row * n, (row + 1) * n));
    });
  });

  test('refuses shapes that do not fit', () => {
    const attempt = (change: object) => () =>
      matrixProduct!({ a: f32([1, 2], 1, 2), b: f32([1, 2], 2, 1), c: f32([0], 1, 1), ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ transposeB: true })).toThrow('matrix_product.b');
    expect(attempt({ transposeA: true })).toThrow('matrix_product');
    expect(attempt({ c: f32([0, 0], 1, 2) })).toThrow('matrix_product.b');
    expect(attempt({ bias: f32([1, 2], 2) })).toThrow('matrix_product.bias');
    expect(attempt({ bias: f32([1], 1), accumulate: true })).toThrow('bias');
  });
});

describe('column sum', () => {
  test('adds every column, rows in order', () => {
    for (const [rows, width] of [
      [1, 1],
      [40, 67],
      [300, 130],
    ] as const) {
      const next = randomNumbers(rows);
      const input = randomArray(next, rows * width);
      const start = randomArray(next, width);
      const sums = new Float32Array(width);
      for (let row = 0; row < rows; ++row)
        for (let column = 0; column < width; ++column) sums[column]! += input[row * width + column]!;
      const expected = start.map((value, column) => value + sums[column]!);
      onEveryEngine((engine) => {
        const output = f32(start, width);
        columnSum!({ ...engine, input: f32(input, rows, width), output });
        expectSameBits(output.data as Float32Array, expected);
      });
    }
  });
});
