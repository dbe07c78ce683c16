import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, loadTesting, type TypedArray } from '../support/testing';

const { adamw, momentValues } = loadTesting();

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

  test('the rounded copy is the new weight, in f32 as it is', () => {
    const { run } = prepare(1000);
    onEveryEngine((engine) => {
      const [weight] = run(engine, 2);
      const next = randomNumbers(1000);
      const arrays = [1, 2, 3].map(() => randomArray(next, 1000));
      const rounded = f32(new Float32Array(1000));
      adamw!({
        ...{ ...engine, ...options, rounded, step: 2, weight: f32(arrays[0]!), gradient: f32(arrays[1]!) },
        ...{
          firstMoment: f32(arrays[2]!),
          secondMoment: f32(randomArray(() => Math.abs(next()), 1000)),
        },
      });
      expectSameBits(rounded.data as Float32Array, weight!);
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
    expect(attempt({ rounded: f32([1, 2]) })).toThrow('adamw.rounded');
    expect(attempt({ firstScale: f32([1]) })).toThrow('first_scale and second_scale: both or none');
    expect(attempt({ firstScale: f32([1]), secondScale: f32([1]) })).toThrow('adamw.first_moment');
  });
});

describe('AdamW with 8-bit moments', () => {
  const { first, second } = momentValues!({}) as Record<'first' | 'second', Float32Array>;
  const block = 256;
  const blocksOf = (count: number): number => Math.ceil(count / block);

  /** Codes and scales as a step before might have left them; some blocks are still empty. */
  function draw(count: number) {
    const next = randomNumbers(count);
    const code = (): number => Math.floor((next() + 1) * 128);
    return {
      weight: randomArray(next, count),
      gradient: Float32Array.from({ length: count }, () => next() * 10 ** (3 * next())),
      firstCodes: Uint8Array.from({ length: count }, code),
      secondCodes: Uint8Array.from({ length: count }, code),
      firstScales: Float32Array.from({ length: blocksOf(count) }, (_, i) => (i % 4 === 3 ? 0 : 10 ** next())),
      secondScales: Float32Array.from({ length: blocksOf(count) }, (_, i) =>
        i % 4 === 3 ? 0 : 10 ** (2 * next()),
      ),
    };
  }
  const widened = (codes: Uint8Array, scales: Float32Array, values: Float32Array): Float32Array =>
    Float32Array.from(codes, (code, index) => values[code]! * scales[Math.floor(index / block)]!);
  const bytes = (values: Uint8Array) => ({ data: Uint8Array.from(values), shape: [values.length] });

  /** For every code the larger of the distances from its value to the neighbours'. */
  function gaps(values: Float32Array): number[] {
    const sorted = [...values].sort((x, y) => x - y);
    return Array.from(values, (value) => {
      const at = sorted.indexOf(value);
      return Math.max(value - (sorted[at - 1] ?? value), (sorted[at + 1] ?? value) - value);
    });
  }

  /** Every code is the nearest to its moment (or the smallest above zero), every scale the largest magnitude of its block. */
  function expectCoded(
    codes: Uint8Array,
    scales: Float32Array,
    moments: Float32Array,
    values: Float32Array,
  ): void {
    const gap = gaps(values);
    const largest = Float32Array.from(scales, (_, i) =>
      Math.max(...moments.subarray(i * block, (i + 1) * block).map(Math.abs)),
    );
    expect(scales).toEqual(largest);
    const got = widened(codes, scales, values);
    const wrong = moments.findIndex((moment, i) => {
      const distance = Math.abs(got[i]! - moment);
      const smallestAboveZero = moment > 0 && codes[i] === 1 && got[i]! > moment;
      return !smallestAboveZero && !(distance <= 0.51 * gap[codes[i]!]! * largest[Math.floor(i / block)]!);
    });
    if (wrong >= 0)
      throw new Error(`moment ${wrong}: expected about ${moments[wrong]}, received ${got[wrong]}`);
  }

  function run(count: number, engine: object) {
    const { weight, gradient, firstCodes, secondCodes, firstScales, secondScales } = draw(count);
    const coded = {
      weight: f32(weight),
      firstMoment: bytes(firstCodes),
      secondMoment: bytes(secondCodes),
      firstScale: f32(firstScales),
      secondScale: f32(secondScales),
    };
    adamw!({ ...engine, ...options, ...coded, gradient: f32(gradient), step: 7 });
    const plain = {
      weight: f32(weight),
      firstMoment: f32(widened(firstCodes, firstScales, first)),
      secondMoment: f32(widened(secondCodes, secondScales, second)),
    };
    adamw!({ ...engine, ...options, ...plain, gradient: f32(gradient), step: 7 });
    return { coded, plain };
  }

  test.each([1, 255, 256, 1000, 40_000])(
    'steps as with f32 moments, then codes them (%i weights)',
    (count) => {
      onEveryEngine((engine) => {
        const { coded, plain } = run(count, engine);
        expectSameBits(coded.weight.data as Float32Array, plain.weight.data as Float32Array);
        const data = (tensor: { data: TypedArray }) => tensor.data as Float32Array;
        expectCoded(coded.firstMoment.data, data(coded.firstScale), data(plain.firstMoment), first);
        expectCoded(coded.secondMoment.data, data(coded.secondScale), data(plain.secondMoment), second);
      });
    },
  );

  test('a second moment above zero stays above zero, so that no weight jumps', () => {
    const gradient = new Float32Array(block).fill(1e-6);
    gradient[0] = 1e3;
    onEveryEngine((engine) => {
      const coded = {
        weight: f32(new Float32Array(block)),
        firstMoment: bytes(new Uint8Array(block)),
        secondMoment: bytes(new Uint8Array(block)),
        firstScale: f32([0]),
        secondScale: f32([0]),
      };
      const plainOptions = { ...options, gradientScale: 1, weightDecay: 0 };
      adamw!({ ...engine, ...plainOptions, ...coded, gradient: f32(gradient), step: 1 });
      expect(Math.min(...coded.secondMoment.data)).toBeGreaterThan(0);
      adamw!({ ...engine, ...plainOptions, ...coded, gradient: f32(new Float32Array(block)), step: 2 });
      expect(Math.max(...coded.weight.data.map(Math.abs))).toBeLessThan(0.03);
    });
  });

  test('threads change no bit', () => {
    const [one, three] = [1, 3].map((threads) => run(50_001, { threads }).coded);
    expect(three).toEqual(one);
  });
});
