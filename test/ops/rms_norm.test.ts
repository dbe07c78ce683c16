import fc from 'fast-check';

import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { rmsNorm } = loadTesting();

const problems = fc.record({
  seed: fc.nat(1000),
  rows: fc.integer({ min: 1, max: 20 }),
  width: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(4097)),
});

describe('RMSNorm', () => {
  test('equals the float64 formula, in place too, and gives a row the same bits alone', () => {
    fc.assert(
      fc.property(problems, ({ seed, rows, width }) => {
        const next = randomNumbers(seed);
        const input = randomArray(next, rows * width);
        const weight = randomArray(next, width);
        const inverse = Array.from({ length: rows }, (_, row) => {
          const values = input.subarray(row * width, (row + 1) * width);
          return 1 / Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / width + 1e-5);
        });
        const expected = Array.from(
          input,
          (x, i) => weight[i % width]! * x * inverse[Math.floor(i / width)]!,
        );
        onEveryEngine((engine) => {
          const output = input.slice();
          const inverseRms = new Float32Array(rows);
          const tensor = f32([], rows, width);
          rmsNorm!({
            ...engine,
            input: { ...tensor, data: output },
            weight: f32(weight),
            epsilon: 1e-5,
            output: { ...tensor, data: output },
            inverseRms: { data: inverseRms, shape: [rows] },
          });
          expectClose(output, expected, 2e-6);
          expectClose(inverseRms, inverse, 2e-6);
          const alone = new Float32Array(width);
          rmsNorm!({
            ...engine,
            input: f32(input.subarray((rows - 1) * width), 1, width),
            weight: f32(weight),
            epsilon: 1e-5,
            output: { data: alone, shape: [1, width] },
          });
          expectSameBits(alone, output.subarray((rows - 1) * width));
        });
      }),
      { numRuns: 30 },
    );
  });

  test('refuses shapes that do not fit', () => {
    const good = { input: f32([1, 2], 1, 2), weight: f32([1, 1]), output: f32([0, 0], 1, 2) };
    const attempt = (change: object) => () => rmsNorm!({ ...good, ...change });
    expect(attempt({})).not.toThrow();
    expect(attempt({ weight: f32([1]) })).toThrow('rms_norm.weight: expected F32 [2], received F32 [1]');
    expect(attempt({ output: f32([0, 0], 2, 1) })).toThrow('rms_norm.output');
    expect(attempt({ inverseRms: f32([0, 0]) })).toThrow('rms_norm.inverse_rms');
  });
});
