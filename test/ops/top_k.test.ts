import fc from 'fast-check';

import { onEveryEngine, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { topK } = loadTesting();

function reference(row: Float32Array, k: number): number[] {
  const rank = (value: number) => (Number.isNaN(value) ? -Infinity : value);
  return Array.from(row.keys())
    .sort((a, b) => {
      const [x, y] = [row[a]!, row[b]!];
      if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
      return rank(y) - rank(x) || a - b;
    })
    .slice(0, k);
}

function run(engine: object, logits: Float32Array, rows: number, k: number) {
  const indices = i32(new Int32Array(rows * k), rows, k);
  const values = f32(new Float32Array(rows * k), rows, k);
  topK!({ ...engine, logits: f32(logits, rows, logits.length / rows), indices, values });
  return { indices: [...indices.data], values: [...values.data] };
}

// Few different values make ties; NaN and the infinities are among them.
const levels = [0, 1, -1, 0.5, NaN, Infinity, -Infinity, -0];
const logits = fc
  .record({
    seed: fc.nat(1000),
    rows: fc.integer({ min: 1, max: 5 }),
    vocabulary: fc.integer({ min: 1, max: 400 }),
    tied: fc.boolean(),
    wanted: fc.nat(400),
  })
  .map(({ seed, rows, vocabulary, tied, wanted }) => {
    const next = randomNumbers(seed);
    const value = () => (tied ? levels[Math.floor((next() + 1) * 4)]! : next());
    const array = Float32Array.from({ length: rows * vocabulary }, value);
    return { rows, vocabulary, array, k: 1 + (wanted % vocabulary) };
  });

describe('top k', () => {
  test('equals a stable sort: the higher first, the lower index on a tie, NaN last', () => {
    fc.assert(
      fc.property(logits, ({ rows, vocabulary, array, k }) => {
        const expected = Array.from({ length: rows }, (_, row) =>
          reference(array.subarray(row * vocabulary, (row + 1) * vocabulary), k).map(
            (i) => row * vocabulary + i,
          ),
        ).flat();
        onEveryEngine((engine) => {
          const { indices, values } = run(engine, array, rows, k);
          expect(indices).toEqual(expected.map((i) => i % vocabulary));
          expect(values).toEqual(expected.map((i) => array[i]));
        });
      }),
      { numRuns: 60 },
    );
  });

  test('finds the best of a row as long as a vocabulary, rising, falling and random', () => {
    const next = randomNumbers(5);
    const length = 49153;
    for (const value of [(i: number) => i, (i: number) => -i, () => next()]) {
      const row = Float32Array.from({ length }, (_, i) => value(i));
      const expected = reference(row, 10);
      onEveryEngine((engine) => {
        expect(run(engine, row, 1, 10).indices).toEqual(expected);
        expect(run(engine, row, 1, 1).indices).toEqual(expected.slice(0, 1));
      });
    }
  });

  test('needs no place for the values', () => {
    const indices = i32([0, 0], 1, 2);
    topK!({ logits: f32([1, 3, 2], 1, 3), indices });
    expect([...indices.data]).toEqual([1, 2]);
  });

  test('refuses shapes and counts that do not fit', () => {
    const attempt = (change: object) => () =>
      topK!({ logits: f32([1, 2], 1, 2), indices: i32([0, 0], 1, 2), ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ indices: i32([0, 0, 0], 1, 3) })).toThrow('expected k from 1 to the vocabulary size');
    expect(attempt({ indices: i32([], 1, 0) })).toThrow();
    expect(attempt({ values: f32([0], 1, 1) })).toThrow('top_k.values');
  });
});
