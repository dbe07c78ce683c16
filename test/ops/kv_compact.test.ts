import fc from 'fast-check';

import { expectSameBits, onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { kvCompact } = loadTesting();

describe('compacting the cache', () => {
  test('moves the rows of the path in every head and touches no other', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 40 }),
        fc.subarray(
          Array.from({ length: 12 }, (_, i) => i),
          { minLength: 1 },
        ),
        fc.nat(9),
        (seed, heads, width, path, firstRow) => {
          const capacity = firstRow + 13;
          const next = randomNumbers(seed);
          const before = [0, 1].map(() => randomArray(next, heads * capacity * width));
          const expected = before.map((array) => {
            const result = array.slice();
            for (let head = 0; head < heads; ++head)
              path.forEach((node, j) => {
                const source = (head * capacity + firstRow + node) * width;
                result.set(array.subarray(source, source + width), (head * capacity + firstRow + j) * width);
              });
            return result;
          });
          onEveryEngine((engine) => {
            const [keys, values] = before.map((array) => f32(array, heads, capacity, width));
            const sources = i32(
              path.map((node) => firstRow + node),
              path.length,
            );
            kvCompact!({ ...engine, keys, values, sources, firstRow: i32([firstRow]) });
            expectSameBits(keys!.data as Float32Array, expected[0]!);
            expectSameBits(values!.data as Float32Array, expected[1]!);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  test('refuses rows outside the cache, in falling order or before their target', () => {
    const attempt =
      (sources: number[], firstRow = 1) =>
      () =>
        kvCompact!({
          keys: f32(new Float32Array(4), 1, 4, 1),
          values: f32(new Float32Array(4), 1, 4, 1),
          sources: i32(sources),
          firstRow: i32([firstRow]),
        });
    expect(attempt([1, 3])).not.toThrow();
    expect(attempt([1, 4])).toThrow('kv_compact.sources: expected cache rows from 0 to 3, received 4');
    expect(attempt([3, 2])).toThrow('kv_compact.sources: expected ascending cache rows');
    expect(attempt([0])).toThrow('kv_compact.sources: expected ascending cache rows from 1');
    expect(attempt([2, 3], 3)).toThrow('kv_compact.first_row');
  });
});
