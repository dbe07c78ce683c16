import { onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, loadTesting, type TestTensor } from '../support/testing';

const { squaredNorm } = loadTesting();

function norm(engine: object, gradient: Float32Array): number {
  const result: TestTensor = { data: Float64Array.of(NaN), shape: [1] };
  squaredNorm!({ ...engine, gradient: f32(gradient), result });
  return result.data[0]!;
}

describe('gradient norm', () => {
  test.each([1, 31, 33, 16_384, 70_001])('sums %i squares in double, the same on every engine', (count) => {
    const gradient = randomArray(randomNumbers(count), count);
    const expected = gradient.reduce((sum, value) => sum + value * value, 0);
    const first = norm({ threads: 1 }, gradient);
    onEveryEngine((engine) => {
      const received = norm(engine, gradient);
      expect(Math.abs(received - expected)).toBeLessThanOrEqual(1e-13 * expected);
      expect(received).toBe(first);
    });
  });

  test('squares beyond the range of f32 do not overflow, NaN is not hidden', () => {
    onEveryEngine((engine) => {
      expect(Math.sqrt(norm(engine, Float32Array.of(3e30, 4e30)))).toBeCloseTo(5e30, -24);
      expect(norm(engine, new Float32Array(100).fill(1).fill(NaN, 70, 71))).toBeNaN();
      expect(norm(engine, Float32Array.of(1, Infinity))).toBe(Infinity);
    });
  });
});
