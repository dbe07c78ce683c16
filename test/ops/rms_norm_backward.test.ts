import { float64, gradientCheck, weighedSum, type Inputs } from '../support/gradients';
import { expectSameBits, onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { rmsNormBackward } = loadTesting();
const epsilon = 1e-3;

function inverseRms(x: ArrayLike<number>, row: number, width: number): number {
  let sum = 0;
  for (let i = 0; i < width; ++i) sum += x[row * width + i]! ** 2;
  return 1 / Math.sqrt(sum / width + epsilon);
}

function forward(rows: number, width: number, { input, weight }: Inputs): Float64Array {
  return Float64Array.from({ length: rows * width }, (_, index) => {
    const row = Math.floor(index / width);
    return weight![index % width]! * input![index]! * inverseRms(input!, row, width);
  });
}

function prepare(rows: number, width: number) {
  const next = randomNumbers(rows * 1000 + width);
  const input = randomArray(next, rows * width);
  const weight = randomArray(() => next() + 1.5, width);
  const outputGradient = randomArray(next, rows * width);
  const starts = { input: randomArray(next, rows * width), weight: randomArray(next, width) };
  const run = (engine: object) => {
    const inputGradient = f32(starts.input, rows, width);
    const weightGradient = f32(starts.weight, width);
    const rms = Float32Array.from({ length: rows }, (_, row) => inverseRms(input, row, width));
    rmsNormBackward!({
      ...{ ...engine, input: f32(input, rows, width), weight: f32(weight), inverseRms: f32(rms) },
      ...{ outputGradient: f32(outputGradient, rows, width), inputGradient, weightGradient },
    });
    return { input: inputGradient.data as Float32Array, weight: weightGradient.data as Float32Array };
  };
  return { run, starts, outputGradient, inputs: { input: float64(input), weight: float64(weight) } };
}

describe('RMSNorm, backward', () => {
  test.each([
    [1, 1],
    [3, 7],
    [40, 48],
    [70, 130],
  ])('adds the gradients of %i rows of %i', (rows, width) => {
    const { run, starts, outputGradient, inputs } = prepare(rows, width);
    const objective = (at: Inputs): number => weighedSum(forward(rows, width, at), outputGradient);
    const check = gradientCheck(objective, inputs);
    onEveryEngine((engine) => {
      const received = run(engine);
      const added = (name: 'input' | 'weight') => received[name].map((value, i) => value - starts[name][i]!);
      check({ input: added('input'), weight: added('weight') });
    });
  });

  test('threads change no bit', () => {
    const { run } = prepare(333, 96);
    const one = run({ threads: 1 });
    const three = run({ threads: 3 });
    expectSameBits(three.input, one.input);
    expectSameBits(three.weight, one.weight);
  });
});
