import { learningRateAt, warmupStepsOf, type Schedule } from '../../ts/train/schedule';

const schedule = (changes: Partial<Schedule>): Schedule => ({
  name: 'cosine',
  learningRate: 0.5,
  warmupSteps: 4,
  totalSteps: 12,
  finalRatio: 0,
  ...changes,
});
const rates = (changes: Partial<Schedule>): number[] =>
  Array.from({ length: 13 }, (_, step) => learningRateAt(step, schedule(changes)));
const close = (values: number[], expected: number[]): void =>
  values.forEach((value, step) => expect(value).toBeCloseTo(expected[step]!, 12));

// get_cosine_schedule_with_warmup(4, 12), get_linear_schedule_with_warmup and
// get_constant_schedule_with_warmup of transformers, times 0.5.
test('cosine', () => {
  close(
    rates({}),
    [
      0, 0.125, 0.25, 0.375, 0.5, 0.4809698831278217, 0.42677669529663687, 0.34567085809127246, 0.25,
      0.15432914190872757, 0.07322330470336319, 0.019030116872178315, 0,
    ],
  );
});

test('linear', () => {
  close(
    rates({ name: 'linear' }),
    [0, 0.125, 0.25, 0.375, 0.5, 0.4375, 0.375, 0.3125, 0.25, 0.1875, 0.125, 0.0625, 0],
  );
});

test('constant', () => {
  close(rates({ name: 'constant' }), [0, 0.125, 0.25, 0.375, ...Array.from({ length: 9 }, () => 0.5)]);
});

test('ends at the part asked for, as cosine_with_min_lr does', () => {
  const cosine = rates({ finalRatio: 0.1 });
  expect(cosine[4]).toBe(0.5);
  expect(cosine[8]).toBeCloseTo(0.5 * (0.5 * 0.9 + 0.1), 12);
  expect(cosine[12]).toBeCloseTo(0.05, 12);
  expect(rates({ name: 'linear', finalRatio: 0.5 })[12]).toBeCloseTo(0.25, 12);
});

test('without a warm-up the first step has the highest rate', () => {
  expect(learningRateAt(0, schedule({ warmupSteps: 0 }))).toBe(0.5);
  expect(learningRateAt(0, schedule({ warmupSteps: 0, totalSteps: 1 }))).toBe(0.5);
});

test('a warm-up over the whole run never falls', () => {
  expect(rates({ warmupSteps: 12 }).slice(0, 12)).toEqual(
    Array.from({ length: 12 }, (_, step) => (0.5 * step) / 12),
  );
});

test('warm-up steps are rounded up', () => {
  expect(warmupStepsOf(100, 0.03)).toBe(3);
  expect(warmupStepsOf(101, 0.03)).toBe(4);
  expect(warmupStepsOf(10, 0)).toBe(0);
});
