import fc from 'fast-check';

import { expectClose, onEveryEngine, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { logProbability } = loadTesting();

function run(engine: object, logits: ArrayLike<number>, targets: number[]): number[] {
  const output = f32(new Float32Array(targets.length));
  const shape = [targets.length, logits.length / targets.length];
  logProbability!({ ...engine, logits: f32(logits, ...shape), targets: i32(targets), output });
  return [...output.data];
}

describe('log probability', () => {
  test('equals float64 log softmax', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 6 }),
        fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(9000)),
        (seed, rows, vocabulary) => {
          const next = randomNumbers(seed);
          const logits = Float32Array.from({ length: rows * vocabulary }, () => 15 * next());
          const targets = Array.from({ length: rows }, (_, row) => (seed * 7 + row) % vocabulary);
          const expected = targets.map((target, row) => {
            const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
            const highest = values.reduce((a, b) => Math.max(a, b));
            const sum = values.reduce((total, value) => total + Math.exp(value - highest), 0);
            return values[target]! - highest - Math.log(sum);
          });
          onEveryEngine((engine) => expectClose(run(engine, logits, targets), expected, 1e-6));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('stands large logits, and gives NaN where one is NaN', () => {
    onEveryEngine((engine) => {
      expectClose(run(engine, [10000, 10000, -10000], [1]), [-Math.log(2)], 1e-6);
      expect(run(engine, [1, NaN, 2], [0])[0]).toBeNaN();
    });
  });

  test('refuses targets outside the vocabulary', () => {
    expect(() => run({}, [1, 2], [2])).toThrow(
      'log_probability.targets: expected token ids from 0 to 1, received 2',
    );
    expect(() => run({}, [1, 2], [-1])).toThrow('log_probability.targets');
  });
});
