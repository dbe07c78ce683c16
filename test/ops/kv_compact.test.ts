import fc from 'fast-check';

import { expectSameBits, onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { kvCompact } = loadTesting();

describe('compacting the cache', () => {
  test('moves the rows of the path in every block and touches no other', () => {
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
          const before = randomArray(next, heads * capacity * width);
          const expected = before.slice();
          for (let head = 0; head < heads; ++head)
            path.forEach((node, j) => {
              const source = (head * capacity + firstRow + node) * width;
              expected.set(before.subarray(source, source + width), (head * capacity + firstRow + j) * width);
            });
          onEveryEngine((engine) => {
            const cache = f32(before, heads, capacity, width);
            // Two sources more than are counted: what lies behind the path in the memory of a device.
            const sources = i32([...path.map((node) => firstRow + node), -1, -1], path.length + 2);
            kvCompact!({ ...engine, cache, sources, count: i32([path.length]), firstRow: i32([firstRow]) });
            expectSameBits(cache.data as Float32Array, expected);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  test('refuses a count beyond the sources', () => {
    const cache = f32(new Float32Array(4), 1, 4, 1);
    expect(() => kvCompact!({ cache, sources: i32([1]), firstRow: i32([1]), count: i32([2]) })).toThrow(
      'kv_compact.count: expected a count from 0 to 1, received 2',
    );
  });

  test('refuses rows outside the cache, in falling order or before their target', () => {
    const attempt =
      (sources: number[], firstRow = 1) =>
      () =>
        kvCompact!({
          cache: f32(new Float32Array(4), 1, 4, 1),
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
