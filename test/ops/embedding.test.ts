import fc from 'fast-check';

import {
  expectSameBits,
  fromBf16,
  onEveryEngine,
  randomArray,
  randomNumbers,
  toBf16,
} from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { embedding } = loadTesting();

describe('embedding', () => {
  test('copies the rows of a plain and of a packed table', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 90 }),
        fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 12 }),
        (seed, vocabulary, hidden, picks) => {
          const table = randomArray(randomNumbers(seed), vocabulary * hidden);
          const tokens = picks.map((pick) => pick % vocabulary);
          const rows = (of: Float32Array) =>
            Float32Array.from(
              tokens.flatMap((token) => [...of.subarray(token * hidden, (token + 1) * hidden)]),
            );
          const whole = f32(table, vocabulary, hidden);
          const run = (args: object) => {
            const output = f32(new Float32Array(tokens.length * hidden), tokens.length, hidden);
            embedding!({ ...args, tokens: i32(tokens), output });
            return output.data as Float32Array;
          };
          onEveryEngine((engine) => {
            expectSameBits(run({ ...engine, table: whole }), rows(table));
            expectSameBits(run({ ...engine, weights: [whole], dtype: 'f32' }), rows(table));
            const rounded = table.map((value) => fromBf16(toBf16(value)));
            expectSameBits(run({ ...engine, weights: [whole], dtype: 'bf16' }), rows(rounded));
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  test('refuses tokens outside the table and shapes that do not fit', () => {
    const table = f32([1, 2, 3, 4], 2, 2);
    const attempt = (change: object) => () =>
      embedding!({ table, tokens: i32([1]), output: f32([0, 0], 1, 2), ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ tokens: i32([2]) })).toThrow(
      'embedding.tokens: expected token ids from 0 to 1, received 2',
    );
    expect(attempt({ tokens: i32([-1]) })).toThrow('embedding.tokens');
    expect(attempt({ output: f32([0, 0, 0], 1, 3) })).toThrow('embedding.table');
    expect(attempt({ weights: [table], dtype: 'f32' })).toThrow('expected exactly one table');
    expect(attempt({ table: undefined })).toThrow('expected exactly one table');
  });
});
