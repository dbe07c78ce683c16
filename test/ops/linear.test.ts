import fc from 'fast-check';

import {
  expectClose,
  expectSameBits,
  fromBf16,
  onEveryEngine,
  randomArray,
  randomNumbers,
  toBf16,
  type Engine,
} from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { linear, packAndUnpack } = loadTesting();

interface Problem {
  rows: number;
  inputs: number;
  outputs: number;
  dtype: 'f32' | 'bf16';
  input: Float32Array;
  weight: Float32Array;
  bias?: Float32Array;
}

function makeProblem(
  seed: number,
  rows: number,
  inputs: number,
  outputs: number,
  dtype: 'f32' | 'bf16',
): Problem {
  const next = randomNumbers(seed);
  return {
    rows,
    inputs,
    outputs,
    dtype,
    input: randomArray(next, rows * inputs),
    weight: randomArray(next, outputs * inputs),
    bias: seed % 2 === 0 ? randomArray(next, outputs) : undefined,
  };
}

function run(
  engine: Engine,
  problem: Problem,
  first = 0,
  rows = problem.rows,
  start?: Float32Array,
): Float32Array {
  const { inputs, outputs } = problem;
  const output = start?.slice() ?? new Float32Array(rows * outputs).fill(NaN);
  linear!({
    ...engine,
    dtype: problem.dtype,
    weights: [f32(problem.weight, outputs, inputs)],
    input: f32(problem.input.subarray(first * inputs, (first + rows) * inputs), rows, inputs),
    bias: problem.bias && f32(problem.bias),
    output: { data: output, shape: [rows, outputs] },
    accumulate: start !== undefined,
  });
  return output;
}

function reference(problem: Problem, start?: Float32Array): Float64Array {
  const { rows, inputs, outputs, input, weight, bias, dtype } = problem;
  const stored = dtype === 'bf16' ? weight.map((value) => fromBf16(toBf16(value))) : weight;
  return Float64Array.from({ length: rows * outputs }, (_, index) => {
    const [row, output] = [Math.floor(index / outputs), index % outputs];
    let sum = (bias?.[output] ?? 0) + (start?.[index] ?? 0);
    for (let i = 0; i < inputs; ++i) sum += input[row * inputs + i]! * stored[output * inputs + i]!;
    return sum;
  });
}

const problems = fc
  .record({
    seed: fc.nat(1000),
    rows: fc.integer({ min: 1, max: 40 }),
    inputs: fc.integer({ min: 1, max: 150 }),
    outputs: fc.integer({ min: 1, max: 150 }),
    dtype: fc.constantFrom('f32' as const, 'bf16' as const),
  })
  .map(({ seed, rows, inputs, outputs, dtype }) => makeProblem(seed, rows, inputs, outputs, dtype));

describe('linear', () => {
  test('equals the float64 product, with and without bias, at odd shapes', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        onEveryEngine((engine) => expectClose(run(engine, problem), reference(problem), 2e-5));
      }),
      { numRuns: 30 },
    );
  });

  test('adds to the output where asked', () => {
    const problem = makeProblem(2, 5, 33, 70, 'bf16');
    const start = randomArray(randomNumbers(9), 5 * 70);
    onEveryEngine((engine) =>
      expectClose(run(engine, problem, 0, 5, start), reference(problem, start), 2e-5),
    );
  });

  test('gives a row the same bits alone, in any batch and with any number of threads', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        onEveryEngine((engine) => {
          const all = run(engine, problem);
          for (let row = 0; row < problem.rows; ++row) {
            const expected = all.subarray(row * problem.outputs, (row + 1) * problem.outputs);
            for (const threads of [1, 2, 3])
              expectSameBits(run({ ...engine, threads }, problem, row, 1), expected);
          }
        });
      }),
      { numRuns: 10 },
    );
  });

  test('gives 512 rows the bits of one, with enough outputs for several threads', () => {
    const problem = makeProblem(4, 512, 97, 300, 'bf16');
    onEveryEngine((engine) => {
      const all = run(engine, problem);
      for (const row of [0, 1, 7, 8, 255, 511])
        expectSameBits(run(engine, problem, row, 1), all.subarray(row * 300, (row + 1) * 300));
    });
  });

  test('passes an infinite input on as IEEE arithmetic does, odd number of inputs included', () => {
    const problem = { ...makeProblem(1, 1, 3, 2, 'bf16'), input: Float32Array.of(1, 2, Infinity) };
    problem.weight.fill(1);
    onEveryEngine((engine) => expect([...run(engine, problem)]).toEqual([Infinity, Infinity]));
  });

  test('packs no more than 1.02 times the plain size at the sizes of real models', () => {
    for (const [outputs, inputs] of [
      [960, 576],
      [1152, 896],
    ] as const)
      for (const [dtype, bytes] of [
        ['f32', 4],
        ['bf16', 2],
      ] as const)
        onEveryEngine((engine) => {
          const packed = linear!({
            ...engine,
            dtype,
            weights: [f32(new Float32Array(outputs * inputs), outputs, inputs)],
            input: f32(new Float32Array(inputs), 1, inputs),
            output: f32(new Float32Array(outputs), 1, outputs),
          }) as number;
          expect(packed).toBeLessThanOrEqual(1.02 * bytes * outputs * inputs);
        });
  });

  test('refuses shapes that do not fit', () => {
    const weights = [f32(new Float32Array(6), 2, 3)];
    const good = { weights, dtype: 'f32', input: f32([1, 2, 3], 1, 3), output: f32([0, 0], 1, 2) };
    const attempt = (change: object) => () => linear!({ ...good, ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ input: f32([1, 2], 1, 2) })).toThrow(
      'linear.input: expected F32 [1, 3], received F32 [1, 2]',
    );
    expect(attempt({ output: f32([0], 1, 1) })).toThrow(
      'linear.output: expected F32 [1, 2], received F32 [1, 1]',
    );
    expect(attempt({ bias: f32([0]) })).toThrow('linear.bias: expected F32 [2], received F32 [1]');
  });
});

describe('packing', () => {
  test('stacks sources and gives every row back as it was', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 70 }),
        (seed, a, inputs) => {
          const next = randomNumbers(seed);
          const b = 1 + (seed % 40);
          const sources = [randomArray(next, a * inputs), randomArray(next, b * inputs)];
          const whole = Float32Array.of(...sources[0]!, ...sources[1]!);
          const firstRow = seed % (a + b);
          const rows = a + b - firstRow;
          onEveryEngine((engine) => {
            const destination = new Float32Array(rows * inputs);
            packAndUnpack!({
              ...engine,
              dtype: 'f32',
              weights: [f32(sources[0]!, a, inputs), f32(sources[1]!, b, inputs)],
              firstRow,
              destination: { data: destination, shape: [rows, inputs] },
            });
            expectSameBits(destination, whole.subarray(firstRow * inputs));
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  test('keeps giving sound memory, weight after weight, for every size', () => {
    const next = randomNumbers(3);
    for (const [rows, inputs, times] of [
      [300, 300, 220],
      [2000, 3000, 3],
    ] as const) {
      const lastRow = randomArray(next, inputs);
      const source = new Float32Array(rows * inputs);
      source.set(lastRow, (rows - 1) * inputs);
      const weights = [{ data: source, shape: [rows, inputs] }];
      for (let time = 0; time < times; ++time) {
        const destination = new Float32Array(inputs);
        packAndUnpack!({
          dtype: 'f32',
          weights,
          firstRow: rows - 1,
          destination: { data: destination, shape: [1, inputs] },
        });
        expectSameBits(destination, lastRow);
      }
    }
  });

  const narrow = (source: object, half = false) => {
    const results: number[][] = [];
    onEveryEngine((engine) => {
      const destination = new Uint16Array(5);
      packAndUnpack!({
        ...engine,
        dtype: 'bf16',
        half,
        weights: [source],
        destination: { data: destination, shape: [1, 5] },
      });
      results.push([...destination]);
    });
    for (const result of results) expect(result).toEqual(results[0]);
    return results[0];
  };

  test('rounds to bf16 to nearest, ties to even, from F32 and F64, and keeps BF16', () => {
    const values = [1, -1.00390625, 1.01171875, 3.4e38, 1e-40];
    const expected = values.map(toBf16);
    expect(narrow(f32(values, 1, 5))).toEqual(expected);
    expect(narrow({ data: Float64Array.from(values), shape: [1, 5] })).toEqual(expected);
    expect(narrow({ data: Uint16Array.from(expected), shape: [1, 5] })).toEqual(expected);
  });

  test('reads F16: normal, subnormal, zero, infinite', () => {
    const halves = Uint16Array.of(0x3c00, 0xc500, 0x0001, 0x8000, 0x7c00);
    expect(narrow({ data: halves, shape: [1, 5] }, true)).toEqual(
      [1, -5, 2 ** -24, -0, Infinity].map(toBf16),
    );
  });

  test('keeps a NaN a NaN', () => {
    const bits = narrow(f32([NaN, 0, 0, 0, 0], 1, 5))![0]!;
    expect(fromBf16(bits)).toBeNaN();
  });

  test('refuses what is no matrix of numbers', () => {
    const destination = f32([0, 0], 1, 2);
    const attempt =
      (weights: object[], change = {}) =>
      () =>
        packAndUnpack!({ dtype: 'f32', weights, destination, ...change });
    expect(attempt([])).toThrow('pack_weight.sources');
    expect(attempt([f32([1, 2], 1, 2), f32([1], 1, 1)])).toThrow('pack_weight.sources: expected F32 [1, 2]');
    expect(attempt([{ data: Int32Array.of(1, 2), shape: [1, 2] }])).toThrow('pack_weight.sources');
    expect(attempt([f32([1, 2], 1, 2)], { firstRow: 1 })).toThrow('unpack_weight.first_row');
  });
});
