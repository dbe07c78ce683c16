import { float64, gradientCheck, weighedSum, type Inputs } from '../support/gradients';
import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomArray,
  randomNumbers,
} from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { crossEntropy } = loadTesting();

interface Case {
  rows: number;
  hidden: number;
  vocabulary: number;
}

function logits({ rows, hidden, vocabulary }: Case, inputs: Inputs): Float64Array {
  const result = new Float64Array(rows * vocabulary);
  for (let row = 0; row < rows; ++row)
    for (let token = 0; token < vocabulary; ++token)
      for (let i = 0; i < hidden; ++i)
        result[row * vocabulary + token]! +=
          inputs.hidden![row * hidden + i]! * inputs.head![token * hidden + i]!;
  return result;
}

function losses(shape: Case, inputs: Inputs, targets: ArrayLike<number>): Float64Array {
  const all = logits(shape, inputs);
  return Float64Array.from({ length: shape.rows }, (_, row) => {
    if (targets[row]! < 0) return 0;
    const own = all.subarray(row * shape.vocabulary, (row + 1) * shape.vocabulary);
    const highest = own.reduce((most, value) => Math.max(most, value), -Infinity);
    const sum = own.reduce((total, value) => total + Math.exp(value - highest), 0);
    return highest + Math.log(sum) - own[targets[row]!]!;
  });
}

function prepare(shape: Case, seed: number) {
  const { rows, hidden, vocabulary } = shape;
  const next = randomNumbers(seed);
  const states = f32(
    randomArray(() => 2 * next(), rows * hidden),
    rows,
    hidden,
  );
  const head = f32(randomArray(next, vocabulary * hidden), vocabulary, hidden);
  const targets = i32(
    Array.from({ length: rows }, () => (next() < -0.3 ? -1 : Math.floor(((next() + 1) / 2) * vocabulary))),
  );
  const start = randomArray(next, vocabulary * hidden);
  const run = (engine: object, gradientScale = 0.25) => {
    const result = {
      losses: f32(new Float32Array(rows).fill(NaN), rows),
      predictions: i32(new Int32Array(rows), rows),
      hiddenGradient: f32(new Float32Array(rows * hidden).fill(NaN), rows, hidden),
      headGradient: f32(start, vocabulary, hidden),
    };
    crossEntropy!({ ...engine, hidden: states, head, targets, gradientScale, ...result });
    return Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, data])) as Record<
      keyof typeof result,
      Float32Array
    >;
  };
  return {
    run,
    start,
    inputs: { hidden: float64(states.data), head: float64(head.data) },
    targets: targets.data,
    states,
    head,
  };
}

const cases: Case[] = [
  { rows: 1, hidden: 1, vocabulary: 1 },
  { rows: 7, hidden: 5, vocabulary: 3 },
  { rows: 40, hidden: 48, vocabulary: 65 },
  { rows: 19, hidden: 33, vocabulary: 260 },
  { rows: 1900, hidden: 3, vocabulary: 4 }, // several chunks
];

describe('output head and cross-entropy', () => {
  test.each(cases)('losses, predictions and gradients equal float64: %o', (shape) => {
    const { run, start, inputs, targets } = prepare(shape, 11);
    const expected = losses(shape, inputs, targets);
    const all = logits(shape, inputs);
    const scale = 0.25;
    const weights = Float64Array.from(targets, (target) => (target < 0 ? 0 : scale));
    const objective = (at: Inputs): number => weighedSum(losses(shape, at, targets), weights);
    const check = gradientCheck(objective, inputs, { samples: shape.rows > 1000 ? 12 : 40 });
    onEveryEngine((engine) => {
      const received = run(engine, scale);
      expectClose(received.losses, expected, 5e-6);
      for (let row = 0; row < shape.rows; ++row) {
        const own = all.subarray(row * shape.vocabulary, (row + 1) * shape.vocabulary);
        const best = targets[row]! < 0 ? -1 : own.indexOf(Math.max(...own));
        if (received.predictions[row] !== best)
          throw new Error(`row ${row}: ${received.predictions[row]}, not ${best}`);
      }
      const head = received.headGradient.map((value, index) => value - start[index]!);
      check({ hidden: received.hiddenGradient, head });
    });
  });

  test('rows without a target get zero gradients and no loss', () => {
    const { run, targets } = prepare({ rows: 50, hidden: 8, vocabulary: 20 }, 12);
    const { hiddenGradient, losses: received } = run({});
    targets.forEach((target, row) => {
      const gradient = [...hiddenGradient.subarray(row * 8, (row + 1) * 8)];
      expect(gradient.every((value) => value === 0)).toBe(target < 0);
      expect(received[row] === 0).toBe(target < 0);
    });
  });

  test('threads change no bit', () => {
    const { run } = prepare({ rows: 1500, hidden: 40, vocabulary: 130 }, 13);
    const one = run({ threads: 1 });
    for (const threads of [2, 3]) {
      const many = run({ threads });
      for (const name of ['losses', 'hiddenGradient', 'headGradient'] as const)
        expectSameBits(many[name], one[name]);
      expect([...many.predictions]).toEqual([...one.predictions]);
    }
  });

  test('forward only needs no gradients and gives the same losses', () => {
    const { run, states, head, targets } = prepare({ rows: 30, hidden: 8, vocabulary: 20 }, 14);
    const received = f32(new Float32Array(30), 30);
    crossEntropy!({ hidden: states, head, targets: i32(targets), losses: received });
    expectSameBits(received.data as Float32Array, run({}).losses);
  });

  test('large and equal logits: finite losses, the lower token on a tie', () => {
    const head = f32([100, 100, -100, 0], 4, 1);
    onEveryEngine((engine) => {
      const received = f32([0, 0, 0], 3);
      const predictions = i32([0, 0, 0]);
      const hidden = f32([10, -10, 0], 3, 1);
      crossEntropy!({ ...engine, hidden, head, targets: i32([1, 1, 3]), losses: received, predictions });
      expectClose(received.data, [Math.log(2), 2000, Math.log(4)], 1e-6);
      expect([...predictions.data]).toEqual([0, 2, 0]);
    });
  });

  test('NaN in the head is not hidden', () => {
    onEveryEngine((engine) => {
      const received = f32([0], 1);
      const head = f32([1, NaN, 2], 3, 1);
      crossEntropy!({ ...engine, hidden: f32([1], 1, 1), head, targets: i32([0]), losses: received });
      expect(received.data[0]).toBeNaN();
    });
  });

  test('no row with a target leaves the head gradient alone', () => {
    const headGradient = f32([1, 2], 2, 1);
    const hiddenGradient = f32([5], 1, 1);
    crossEntropy!({
      ...{ hidden: f32([1], 1, 1), head: f32([1, 2], 2, 1), targets: i32([-1]), losses: f32([7], 1) },
      ...{ headGradient, hiddenGradient },
    });
    expect([...headGradient.data, ...hiddenGradient.data]).toEqual([1, 2, 0]);
  });

  test('refuses shapes that do not fit', () => {
    const attempt = (change: object) => () =>
      crossEntropy!({
        ...{
          hidden: f32([1, 2], 1, 2),
          head: f32([1, 2], 1, 2),
          targets: i32([0]),
          losses: f32([0], 1),
          ...change,
        },
      });
    expect(attempt({})).not.toThrow();
    expect(attempt({ targets: i32([0, 0]) })).toThrow('cross_entropy.targets');
    expect(attempt({ targets: i32([1]) })).toThrow('cross_entropy.targets');
    expect(attempt({ hiddenGradient: f32([0, 0], 1, 2) })).toThrow('both gradients or none');
    expect(attempt({ head: f32([1], 1, 1) })).toThrow('cross_entropy.head');
  });
});
