import fc from 'fast-check';

import { onEveryEngine } from '../support/operations';
import { i32, loadTesting } from '../support/testing';

const { longestMatch, retrieve } = loadTesting();
interface Found {
  length: number;
  end: number;
  continuation?: number[];
}

const untouched = -7;
function search(engine: object, tokens: number[], knownCount: number, minMatch: number, depth: number) {
  const match = i32([untouched, untouched]);
  const continuation = i32(new Array<number>(depth).fill(untouched));
  longestMatch!({
    ...{ ...engine, known: i32(tokens), knownCount: i32([knownCount]), minMatch },
    ...{ match, continuation },
  });
  const [length, end] = match.data as Int32Array;
  return { length, end, continuation: [...continuation.data] };
}

test('finds in the known tokens what the host’s retrieval finds', () => {
  const text = fc
    .integer({ min: 1, max: 4 })
    .chain((alphabet) => fc.array(fc.integer({ min: 0, max: alphabet }), { minLength: 1, maxLength: 60 }));
  const minMatch = fc.integer({ min: 1, max: 16 });
  let matches = 0;
  fc.assert(
    fc.property(text, minMatch, fc.integer({ min: 1, max: 20 }), (tokens, least, depth) => {
      const expected = retrieve!({ tokens, minMatch: least, depth }) as Found[];
      onEveryEngine((engine) =>
        expected.forEach(({ length, end, continuation }, i) => {
          const missing = new Array<number>(depth).fill(untouched);
          expect(search(engine, tokens, i + 1, least, depth)).toEqual({
            ...{ length, end, continuation: continuation ?? missing },
          });
          if (length > 0) ++matches;
        }),
      );
    }),
    { numRuns: 40 },
  );
  expect(matches).toBeGreaterThan(0);
});

test('an empty text has no match', () => {
  expect(search({}, [1, 2], 0, 1, 1)).toEqual({ length: 0, end: 0, continuation: [untouched] });
});

test('refuses what does not fit', () => {
  expect(() => search({}, [1, 2], 3, 2, 1)).toThrow('longest_match.known_count');
  expect(() => search({}, [1, 2], 1, 17, 1)).toThrow('expected a min_match from 1 to 16');
});
