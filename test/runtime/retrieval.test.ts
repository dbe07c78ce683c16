import fc from 'fast-check';
import { loadTesting } from '../support/testing';

const native = loadTesting();
interface Found {
  length: number;
  end: number;
  continuation?: number[];
}
const retrieve = (tokens: number[], minMatch = 2, depth = 5) =>
  native.retrieve!({ tokens, minMatch, depth }) as Found[];

/** As docs/method.md says it, place by place. */
function search(known: number[], minMatch: number, depth: number): Found {
  const n = known.length;
  for (let length = Math.min(16, n - 1); length >= minMatch; --length)
    for (let end = n - 1; end >= length; --end) {
      const equal = Array.from({ length }, (_, i) => known[end - 1 - i] === known[n - 1 - i]).every(Boolean);
      if (!equal) continue;
      const continuation: number[] = [];
      for (let i = 0; i < depth; ++i)
        continuation.push(end + i < n ? known[end + i]! : continuation[end + i - n]!);
      return { length, end, continuation };
    }
  return { length: 0, end: 0 };
}

describe('Retrieval', () => {
  test('takes the longest suffix, and of its places the latest', () => {
    expect(retrieve([1, 2, 3, 9, 1, 2, 4, 1, 2]).at(-1)).toEqual({
      length: 2,
      end: 6,
      continuation: [4, 1, 2, 4, 1],
    });
    expect(retrieve([5, 1, 2, 7, 6, 1, 2, 8, 5, 1, 2]).at(-1)).toMatchObject({ length: 3, end: 3 });
  });
  test('reads on through what it has just read', () => {
    expect(retrieve([7, 8, 7, 8]).at(-1)).toEqual({ length: 2, end: 2, continuation: [7, 8, 7, 8, 7] });
    expect(retrieve([3, 3, 3]).at(-1)).toEqual({ length: 2, end: 2, continuation: [3, 3, 3, 3, 3] });
  });
  test('a match is at most 16 tokens and at least minMatch', () => {
    expect(retrieve(new Array<number>(40).fill(1)).at(-1)).toMatchObject({ length: 16, end: 39 });
    expect(retrieve([1, 2, 1], 2).at(-1)).toEqual({ length: 0, end: 0 });
    expect(retrieve([1, 2, 1], 1).at(-1)).toMatchObject({ length: 1, end: 1 });
  });
  test('equals a search place by place', () => {
    const text = fc
      .integer({ min: 1, max: 4 })
      .chain((alphabet) => fc.array(fc.integer({ min: 0, max: alphabet }), { minLength: 1, maxLength: 60 }));
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 20 }),
        (tokens, minMatch, depth) => {
          retrieve(tokens, minMatch, depth).forEach((found, i) =>
            expect(found).toEqual(search(tokens.slice(0, i + 1), minMatch, depth)),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});
