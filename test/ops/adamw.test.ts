import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, loadTesting } from '../support/testing';

const { adamw } = loadTesting();

const options = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  gradientScale: 0.3,
};

function prepare(count: number) {
  const next = randomNumbers(count);
  const weight = randomArray(next, count);
  const gradient = randomArray(next, count);
  const firstMoment = randomArray(next, count);
  const secondMoment = randomArray(() => Math.abs(next()), count);
  const run = (engine: object, step: number) => {
    const result = { weight: f32(weight), firstMoment: f32(firstMoment), secondMoment: f32(secondMoment) };
    adamw!({ ...engine, ...options, ...result, gradient: f32(gradient), step });
    return [result.weight, result.firstMoment, result.secondMoment].map(({ data }) => data as Float32Array);
  };
  const expected = (step: number): Float64Array[] => {
    const { learningRate, beta1, beta2, epsilon, weightDecay, gradientScale } = options;
    const [w, m, v] = [weight, firstMoment, secondMoment].map((values) => Float64Array.from(values));
    for (let i = 0; i < count; ++i) {
      const g = gradientScale * gradient[i]!;
      m![i] = beta1 * m![i]! + (1 - beta1) * g;
      v![i] = beta2 * v![i]! + (1 - beta2) * g * g;
      w![i]! -= learningRate * weightDecay * w![i]!;
      w![i]! -=
        (learningRate * (m![i]! / (1 - beta1 ** step))) / (Math.sqrt(v![i]! / (1 - beta2 ** step)) + epsilon);
    }
    return [w!, m!, v!];
  };
  return { run, expected };
}

describe('AdamW', () => {
  test.each([1, 15, 100, 40_000])('equals float64 on %i weights', (count) => {
    const { run, expected } = prepare(count);
    for (const step of [1, 7, 100_000]) {
      const truth = expected(step);
      onEveryEngine((engine) =>
        run(engine, step).forEach((values, i) => expectClose(values, truth[i]!, 1e-6)),
      );
    }
  });

  test('threads change no bit', () => {
    const { run } = prepare(50_001);
    const one = run({ threads: 1 }, 3);
    run({ threads: 3 }, 3).forEach((values, i) => expectSameBits(values, one[i]!));
  });

  test('a weight without gradient and moments only decays', () => {
    onEveryEngine((engine) => {
      const weight = f32([2]);
      adamw!({
        ...{
          ...engine,
          ...options,
          weight,
          gradient: f32([0]),
          firstMoment: f32([0]),
          secondMoment: f32([0]),
        },
        step: 1,
      });
      expectClose(weight.data, [2 * (1 - 0.001)], 1e-7);
    });
  });

  test('refuses sizes that do not fit and a step before the first', () => {
    const attempt = (change: object) => () =>
      adamw!({
        ...{
          ...options,
          weight: f32([1]),
          gradient: f32([1]),
          firstMoment: f32([1]),
          secondMoment: f32([1]),
        },
        ...{ step: 1, ...change },
      });
    expect(attempt({})).not.toThrow();
    expect(attempt({ gradient: f32([1, 2]) })).toThrow('adamw.gradient');
    expect(attempt({ step: 0 })).toThrow('step');
    expect(attempt({ beta1: 1 })).toThrow('beta');
  });
});
