import fc from 'fast-check';

import { expectClose, expectSameBits, onEveryEngine, randomNumbers } from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { swiglu } = loadTesting();

function run(engine: object, gateUp: ArrayLike<number>, rows: number, inner: number): Float32Array {
  const output = new Float32Array(rows * inner);
  swiglu!({
    ...engine,
    gateUp: f32(gateUp, rows, 2 * inner),
    output: { data: output, shape: [rows, inner] },
  });
  return output;
}

describe('SwiGLU', () => {
  test('equals the float64 formula, and gives a row the same bits alone', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 2000 }),
        (seed, rows, inner) => {
          const next = randomNumbers(seed);
          const gateUp = Float32Array.from({ length: rows * 2 * inner }, () => 12 * next());
          const expected = Array.from({ length: rows * inner }, (_, i) => {
            const at = Math.floor(i / inner) * 2 * inner + (i % inner);
            return (gateUp[at]! / (1 + Math.exp(-gateUp[at]!))) * gateUp[at + inner]!;
          });
          onEveryEngine((engine) => {
            const output = run(engine, gateUp, rows, inner);
            expectClose(output, expected, 2e-6);
            const alone = run(engine, gateUp.subarray((rows - 1) * 2 * inner), 1, inner);
            expectSameBits(alone, output.subarray((rows - 1) * inner));
          });
        },
      ),
      { numRuns: 20 },
    );
  });

  test('holds at the ends: large gates pass, small ones vanish, NaN stays', () => {
    onEveryEngine((engine) => {
      const [large, small, missing] = run(engine, [1000, -1000, NaN, 2, 2, 2], 1, 3);
      expect(large).toBe(2000);
      expect(Math.abs(small!)).toBeLessThan(1e-30);
      expect(missing).toBeNaN();
    });
  });

  test('refuses shapes that do not fit', () => {
    expect(() => swiglu!({ gateUp: f32([1, 2, 3], 1, 3), output: f32([0], 1, 1) })).toThrow(
      'swiglu.gate_up: expected F32 [1, 2], received F32 [1, 3]',
    );
  });
});
