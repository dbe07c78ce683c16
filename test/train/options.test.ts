import { options } from '../../ts/validate';
import { validate } from '../../ts/validate';
import { checkTogether, nativeNoise, trainingOptions, type CheckedOptions } from '../../ts/train/options';

const check = (given: object): CheckedOptions => {
  const checked = validate(options(trainingOptions), given);
  checkTogether(checked);
  return checked;
};
const least = { data: 'train.jsonl', output: 'out' };

test('fills in the documented defaults', () => {
  expect(check(least)).toEqual({
    data: ['train.jsonl'],
    format: 'auto',
    overlong: 'skip',
    output: 'out',
    device: 'auto',
    dtype: 'auto',
    threads: 'auto',
    noise: { kind: 'ahead', length: 5, segments: 1, seed: 0 },
    batchSize: 8,
    gradientAccumulation: 1,
    gradientCheckpointing: false,
    packing: true,
    shuffle: true,
    learningRate: 2e-5,
    schedule: 'cosine',
    warmupRatio: 0.03,
    finalLearningRateRatio: 0,
    optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, moments: 'f32' },
    clipNorm: 1,
    seed: 0,
    evalEvery: 200,
    evalPrompts: 8,
    evalNewTokens: 64,
    saveEvery: 200,
    keepLast: 2,
    resume: 'auto',
  });
});

test('fills in the rest of a part that is given', () => {
  const checked = check({
    ...least,
    noise: { segments: 4 },
    optimizer: { weightDecay: 0.01, moments: '8bit' },
  });
  expect(checked.noise).toEqual({ kind: 'ahead', length: 5, segments: 4, seed: 0 });
  expect(checked.optimizer).toEqual({
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    moments: '8bit',
  });
});

test('takes several files, named columns, a checkpoint and plain fine-tuning', () => {
  const given = {
    data: ['a.jsonl', 'b.json'],
    output: 'out',
    format: { prompt: 'question', completion: 'answer' },
    resume: 'out/checkpoint-7',
    noise: false,
  };
  expect(check(given)).toMatchObject(given);
});

test.each<[object, string]>([
  [{ output: 'out' }, 'data: expected a path, or an array of at least one path, received undefined'],
  [{ ...least, data: [] }, 'data: expected a path, or an array of at least one path, received an array of 0'],
  [{ data: 'x' }, 'output: expected a path (a string that is not empty), received undefined'],
  [{ ...least, noise: { length: 0 } }, 'noise.length: expected an integer from 1 to 64, received 0'],
  [{ ...least, noise: { kind: 'white' } }, `noise.kind: expected 'ahead' or 'uniform', received "white"`],
  [{ ...least, noise: true }, 'noise: expected false or an object, received true'],
  [{ ...least, batchSize: 1.5 }, 'batchSize: expected an integer from 1 to 65536, received 1.5'],
  [{ ...least, learningRate: -1 }, 'learningRate: expected a number from 0 to 10, received -1'],
  [{ ...least, learningRate: NaN }, 'learningRate: expected a number from 0 to 10, received NaN'],
  [{ ...least, epochs: 0 }, 'epochs: expected a number above 0 and at most 1000000, received 0'],
  [{ ...least, steps: 0 }, 'steps: expected an integer of at least 1, received 0'],
  [{ ...least, steps: 2, epochs: 1 }, 'steps: give either epochs or steps, not both'],
  [
    { ...least, evalData: 'x', evalFraction: 0.1 },
    'evalFraction: give either evalData or evalFraction, not both',
  ],
  [{ ...least, evalFraction: 1 }, 'evalFraction: expected a number above 0 and below 1, received 1'],
  [
    { ...least, optimizer: { beta1: 1 } },
    'optimizer.beta1: expected a number of at least 0 and below 1, received 1',
  ],
  [{ ...least, schedule: 'step' }, `schedule: expected 'cosine' or 'linear' or 'constant', received "step"`],
  [{ ...least, resume: true }, `resume: expected 'auto', false or the path of a checkpoint, received true`],
  [{ ...least, keepLast: 0 }, 'keepLast: expected an integer of at least 1, received 0'],
  [{ ...least, dtype: 'int8' }, `dtype: expected 'auto' or 'f32' or 'bf16', received "int8"`],
  [{ ...least, optimizer: { moments: 8 } }, `optimizer.moments: expected 'f32' or '8bit', received 8`],
  [{ ...least, gradientCheckpointing: 1 }, 'gradientCheckpointing: expected true or false, received 1'],
  [{ ...least, learningrate: 1 }, 'unknown option "learningrate" (did you mean "learningRate"?)'],
  [{ ...least, noise: { len: 3 } }, 'noise: unknown option "len"'],
  [
    { ...least, format: 'csv' },
    `format: expected one of 'auto', 'prompt-completion', 'messages', 'alpaca', 'sharegpt', 'text', 'tokens' or { prompt: column, completion: column }, received "csv"`,
  ],
  [
    { ...least, format: { prompt: 'q' } },
    'format.completion: expected the name of a column, received undefined',
  ],
])('refuses %j', (given, message) => {
  expect(() => check(given)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }));
});

test('noise for the native side', () => {
  expect(nativeNoise(false).enabled).toBe(false);
  expect(nativeNoise(check(least).noise)).toEqual({
    enabled: true,
    kind: 'ahead',
    length: 5,
    segments: 1,
    seed: 0,
  });
});
