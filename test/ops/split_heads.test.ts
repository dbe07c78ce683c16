import fc from 'fast-check';

import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { splitHeads } = loadTesting();

interface Problem {
  rows: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  firstRow: number;
  qkv: Float32Array;
  rotary: Float32Array;
  queryNorm?: Float32Array;
  keyNorm?: Float32Array;
}

const problems = fc
  .record({
    seed: fc.nat(1000),
    rows: fc.integer({ min: 1, max: 9 }),
    heads: fc.integer({ min: 1, max: 5 }),
    kvHeads: fc.integer({ min: 1, max: 3 }),
    headDim: fc.constantFrom(2, 8, 12, 14, 20, 24, 64, 66, 128),
    firstRow: fc.integer({ min: 0, max: 5 }),
    normed: fc.boolean(),
  })
  .map(({ seed, normed, ...sizes }): Problem => {
    const next = randomNumbers(seed);
    const { rows, heads, kvHeads, headDim } = sizes;
    return {
      ...sizes,
      qkv: randomArray(next, rows * (heads + 2 * kvHeads) * headDim),
      rotary: randomArray(next, rows * headDim),
      ...(normed && { queryNorm: randomArray(next, headDim), keyNorm: randomArray(next, headDim) }),
    };
  });

function run(engine: object, problem: Problem) {
  const { rows, heads, kvHeads, headDim, firstRow } = problem;
  const capacity = firstRow + rows + 2;
  const query = f32(new Float32Array(rows * heads * headDim), rows, heads, headDim);
  const keys = f32(new Float32Array(kvHeads * capacity * headDim).fill(9), kvHeads, capacity, headDim);
  const values = f32(new Float32Array(kvHeads * capacity * headDim).fill(9), kvHeads, capacity, headDim);
  splitHeads!({
    ...engine,
    qkv: f32(problem.qkv, rows, (heads + 2 * kvHeads) * headDim),
    queryNorm: problem.queryNorm && f32(problem.queryNorm),
    keyNorm: problem.keyNorm && f32(problem.keyNorm),
    epsilon: 1e-6,
    rotary: f32(problem.rotary, rows, headDim),
    firstRow: i32([firstRow]),
    query,
    keys,
    values,
  });
  return [query, keys, values].map((tensor) => tensor.data as Float32Array);
}

function reference(problem: Problem): number[][] {
  const { rows, heads, kvHeads, headDim, firstRow } = problem;
  const half = headDim / 2;
  const capacity = firstRow + rows + 2;
  const query: number[] = [];
  const keys = new Array<number>(kvHeads * capacity * headDim).fill(9);
  const values = keys.slice();
  for (let row = 0; row < rows; ++row) {
    const rotary = problem.rotary.subarray(row * headDim, (row + 1) * headDim);
    const head = (index: number) => {
      const first = (row * (heads + 2 * kvHeads) + index) * headDim;
      return [...problem.qkv.subarray(first, first + headDim)];
    };
    const rotate = (x: number[], norm?: Float32Array) => {
      const inverse = 1 / Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / headDim + 1e-6);
      const y = norm ? x.map((v, i) => v * inverse * norm[i]!) : x;
      return y.map((v, i) =>
        i < half
          ? v * rotary[i]! - y[i + half]! * rotary[i + half]!
          : v * rotary[i - half]! + y[i - half]! * rotary[i]!,
      );
    };
    for (let h = 0; h < heads; ++h) query.push(...rotate(head(h), problem.queryNorm));
    for (let h = 0; h < kvHeads; ++h) {
      const at = (h * capacity + firstRow + row) * headDim;
      keys.splice(at, headDim, ...rotate(head(heads + h), problem.keyNorm));
      values.splice(at, headDim, ...head(heads + kvHeads + h));
    }
  }
  return [query, keys, values];
}

describe('splitting heads', () => {
  test('norms, rotates and writes the cache rows, and no others', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const expected = reference(problem);
        onEveryEngine((engine) => {
          run(engine, problem).forEach((received, part) => expectClose(received, expected[part]!, 3e-6));
        });
      }),
      { numRuns: 40 },
    );
  });

  test('gives a row the same bits alone', () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { rows, heads, kvHeads, headDim, firstRow } = problem;
        const row = rows - 1;
        const alone = {
          ...problem,
          rows: 1,
          firstRow: firstRow + row,
          qkv: problem.qkv.subarray(row * (heads + 2 * kvHeads) * headDim),
          rotary: problem.rotary.subarray(row * headDim),
        };
        onEveryEngine((engine) => {
          const [query, keys] = run(engine, problem);
          const [aloneQuery, aloneKeys] = run(engine, alone);
          expectSameBits(aloneQuery!, query!.subarray(row * heads * headDim));
          const at = (firstRow + row) * headDim;
          expectSameBits(aloneKeys!.subarray(at, at + headDim), keys!.subarray(at, at + headDim));
        });
      }),
      { numRuns: 20 },
    );
  });

  test('refuses shapes and cache rows that do not fit', () => {
    const good = {
      qkv: f32(new Float32Array(12), 1, 12),
      rotary: f32(new Float32Array(4), 1, 4),
      firstRow: i32([1]),
      query: f32(new Float32Array(4), 1, 1, 4),
      keys: f32(new Float32Array(8), 1, 2, 4),
      values: f32(new Float32Array(8), 1, 2, 4),
    };
    const attempt = (change: object) => () => splitHeads!({ ...good, ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ firstRow: i32([2]) })).toThrow(
      'split_heads.first_row: expected a cache row from 0 to 1, received 2',
    );
    expect(attempt({ firstRow: i32([-1]) })).toThrow('split_heads.first_row');
    expect(attempt({ qkv: f32(new Float32Array(8), 1, 8) })).toThrow('split_heads.qkv');
    expect(attempt({ queryNorm: f32([1]) })).toThrow('split_heads.query_norm');
    expect(
      attempt({
        qkv: f32(new Float32Array(9), 1, 9),
        rotary: f32(new Float32Array(3), 1, 3),
        query: f32(new Float32Array(3), 1, 1, 3),
        keys: f32(new Float32Array(6), 1, 2, 3),
        values: f32(new Float32Array(6), 1, 2, 3),
      }),
    ).toThrow('expected an even head_dim');
  });
});
