import { float64, gradientCheck, weighedSum, type Inputs } from '../support/gradients';
import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { swigluBackward } = loadTesting();

function forward(rows: number, inner: number, { gateUp }: Inputs): Float64Array {
  return Float64Array.from({ length: rows * inner }, (_, index) => {
    const at = Math.floor(index / inner) * 2 * inner + (index % inner);
    const gate = gateUp![at]!;
    return (gate / (1 + Math.exp(-gate))) * gateUp![at + inner]!;
  });
}

describe('SwiGLU, backward', () => {
  test.each([
    [1, 1],
    [5, 19],
    [20, 64],
  ])('gives the gradients of %i rows of %i, in place too', (rows, inner) => {
    const next = randomNumbers(inner);
    const values = randomArray(() => 4 * next(), rows * 2 * inner);
    const outputGradient = f32(randomArray(next, rows * inner), rows, inner);
    const objective = (at: Inputs): number => weighedSum(forward(rows, inner, at), outputGradient.data);
    const check = gradientCheck(objective, { gateUp: float64(values) });
    onEveryEngine((engine) => {
      const gateUp = f32(values, rows, 2 * inner);
      const gateUpGradient = f32(new Float32Array(rows * 2 * inner).fill(NaN), rows, 2 * inner);
      swigluBackward!({ ...engine, gateUp, outputGradient, gateUpGradient });
      check({ gateUp: gateUpGradient.data });
      swigluBackward!({ ...engine, gateUp, outputGradient, gateUpGradient: gateUp });
      expectSameBits(gateUp.data as Float32Array, gateUpGradient.data as Float32Array);
    });
  });

  test('gates far from zero', () => {
    onEveryEngine((engine) => {
      const gateUpGradient = f32([0, 0, 0, 0], 1, 4);
      swigluBackward!({
        ...{
          ...engine,
          gateUp: f32([200, -200, 3, 3], 1, 4),
          outputGradient: f32([1, 1], 1, 2),
          gateUpGradient,
        },
      });
      expectClose(gateUpGradient.data, [3, 0, 200, 0], 1e-6);
    });
  });
});
