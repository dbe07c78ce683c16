/** What saves memory in training: gradient checkpointing and 8-bit moments. */
import type { NativeMicroBatch, NativeModelShape, TrainingTensors } from '../../ts/native/contract';
import { folderShape, modelFolder } from '../support/models';
import { expectSameBits, randomNumbers } from '../support/operations';
import { tensorTable } from '../support/safetensors';
import { tinyShape } from '../support/shapes';
import { describeShared, loadTesting } from '../support/testing';
import { createTrainer, packRows, type TestTrainer, type TrainerOptions } from '../support/trainer';
import { readTrainingReference, trainingModels } from '../support/training-reference';

const namesOf = (shape: NativeModelShape): string[] =>
  (loadTesting().tensorSpecs!({ ...shape }) as Array<{ name: string }>).map(({ name }) => name);
const create = (options: TrainerOptions): TestTrainer =>
  createTrainer({ seed: 5, initializerRange: 0.3, noise: { length: 3 }, ...options });

/** Documents of random tokens, the first three of each without loss. */
function drawBatch(seed: number, lengths: number[]): NativeMicroBatch {
  const next = randomNumbers(seed);
  const rows = lengths.map((length) => Array.from({ length }, () => Math.floor((next() + 1) * 12)));
  return packRows(
    rows,
    rows.map((row) => row.map((token, i) => (i < 3 ? -100 : token))),
  );
}

const states = ['weights', 'firstMoments', 'secondMoments'] as const;
const tensorsOf = (trainer: TestTrainer, which: TrainingTensors, names: string[]) =>
  Object.fromEntries(names.map((name) => [name, trainer.state(which, name)]));

function expectSameState(one: TestTrainer, other: TestTrainer, names: string[]): void {
  for (const which of states)
    for (const name of names) expectSameBits(one.state(which, name), other.state(which, name));
}

describe('gradient checkpointing', () => {
  const shapes: Array<[string, Partial<NativeModelShape>]> = [
    ['tied, biases and norms of q and k', { layers: 3, attentionBias: true, queryKeyNorm: true }],
    ['untied, window', { layers: 4, tiedHead: false, window: 5 }],
    ['one layer', { layers: 1 }],
  ];
  const cases = shapes.flatMap(([name, different]) =>
    (['f32', 'bf16'] as const).map((activations) => ({ name, different, activations })),
  );

  test.each(cases)('gives the same bits: $name, $activations', ({ different, activations }) => {
    const shape = tinyShape(different);
    const names = namesOf(shape);
    const [plain, checkpointing] = [false, true].map((gradientCheckpointing) =>
      create({ shape, activations, gradientCheckpointing }),
    ) as [TestTrainer, TestTrainer];
    for (let step = 0; step < 3; ++step) {
      const batches = [drawBatch(2 * step, [20, 7, 13]), drawBatch(2 * step + 1, [31])];
      const expected = plain.step(batches, step, 0.01);
      expect(checkpointing.step(batches, step, 0.01)).toEqual(expected);
      for (const name of names) expectSameBits(checkpointing.gradient(name), plain.gradient(name));
    }
    expectSameState(checkpointing, plain, names);
    const batch = drawBatch(9, [30, 12]);
    expect(checkpointing.evaluate(batch, { length: 3 })).toEqual(plain.evaluate(batch, { length: 3 }));
  });

  test('a layer more takes the memory of its input', () => {
    const tokens = 64;
    const workspace = (layers: number, gradientCheckpointing: boolean): number => {
      const trainer = create({ shape: tinyShape({ layers }), gradientCheckpointing });
      trainer.step([drawBatch(1, [tokens])], 0, 0.01);
      return trainer.bytes().workspace;
    };
    const input = tokens * tinyShape().hiddenSize * 4;
    expect(workspace(5, true) - workspace(4, true)).toBe(input);
    expect(workspace(5, false) - workspace(4, false)).toBeGreaterThan(5 * input);
    expect(workspace(1, true)).toBe(workspace(1, false));
  });

  test('activations in bf16 take about half the memory', () => {
    const workspace = (activations: 'f32' | 'bf16'): number => {
      const trainer = create({ shape: tinyShape({ layers: 8 }), activations });
      trainer.step([drawBatch(1, [64])], 0, 0.01);
      return trainer.bytes().workspace;
    };
    // The residual stream and statistics stay f32.
    expect(workspace('bf16') / workspace('f32')).toBeLessThan(0.65);
  });
});

describe('8-bit moments', () => {
  const shape = tinyShape({ tiedHead: false, attentionBias: true, queryKeyNorm: true, headDim: 6 });
  const names = namesOf(shape);
  const coded = (seed = 5): TestTrainer => create({ shape, seed, optimizer: { moments: '8bit' } });
  const plain = (): TestTrainer => create({ shape });
  const restore = (to: TestTrainer, from: TestTrainer): void => {
    for (const which of states) to.restore(which, tensorsOf(from, which, names));
    to.stepsDone(from.stepsDone());
  };

  test('take a quarter of the memory of f32 ones', () => {
    const large = tinyShape({ hiddenSize: 64, intermediateSize: 256, vocabularySize: 512 });
    const state = (moments: 'f32' | '8bit'): number =>
      create({ shape: large, optimizer: { moments } }).bytes().state;
    // Weight, gradient and two moments of 4 bytes, or of 1 byte and a 256th of a scale.
    expect(state('8bit') / state('f32')).toBeCloseTo((8 + 2 * (1 + 4 / 256)) / 16, 6);
  });

  test('what is written and restored goes on with the same bits', () => {
    const [whole, other] = [coded(), coded(99)];
    const batches = [1, 2, 3, 4, 5].map((seed) => drawBatch(seed, [20, 11]));
    batches.slice(0, 3).forEach((batch, step) => whole.step([batch], step, 0.01));
    restore(other, whole);
    expectSameState(other, whole, names);
    for (const step of [3, 4]) {
      const expected = whole.step([batches[step]!], step, 0.01);
      expect(other.step([batches[step]!], step, 0.01)).toEqual(expected);
    }
    expectSameState(other, whole, names);
  });

  test('the first step is that of f32 moments, and each takes up what the other wrote', () => {
    const [one, other] = [coded(), plain()];
    const batch = drawBatch(1, [20, 11]);
    expect(one.step([batch], 0, 0.01)).toEqual(other.step([batch], 0, 0.01));
    for (const name of names) expectSameBits(one.state('weights', name), other.state('weights', name));
    const [asF32, as8Bit] = [plain(), coded()];
    restore(asF32, one);
    restore(as8Bit, other);
    expectSameState(asF32, one, names);
    expectSameState(as8Bit, one, names);
    const expected = one.step([batch], 1, 0.01);
    expect(asF32.step([batch], 1, 0.01)).toEqual(expected);
    for (const name of names) expectSameBits(asF32.state('weights', name), one.state('weights', name));
  });
});

test('a state that finds no room says what would take less', () => {
  const shape = tinyShape({ vocabularySize: 2 ** 29, hiddenSize: 2 ** 29 });
  const attempt = (moments: 'f32' | '8bit'): string => {
    try {
      createTrainer({ shape, optimizer: { moments } });
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return `${code}: ${message}`;
    }
    return 'found room';
  };
  expect(attempt('f32')).toMatch(
    /^ERR_OUT_OF_MEMORY: cannot allocate .* about 16 bytes for each weight; optimizer\.moments: '8bit' takes 6 less$/,
  );
  expect(attempt('8bit')).toMatch(/^ERR_OUT_OF_MEMORY: cannot allocate .* about 10 bytes for each weight$/);
});

describeShared.each(trainingModels)('8-bit moments on %s', (model) => {
  test('the loss of 40 steps follows that of f32 moments', () => {
    const folder = modelFolder(model);
    const { batch } = readTrainingReference(model);
    const rows = packRows(batch.input_ids, batch.labels);
    const losses = (moments: 'f32' | '8bit'): number[] => {
      const trainer = createTrainer({
        shape: folderShape(folder),
        tensors: tensorTable(folder),
        optimizer: { beta2: 0.95, weightDecay: 0.1, moments },
        threads: 2,
      });
      return Array.from({ length: 40 }, (_, step) => trainer.step([rows], step, 0.001).loss);
    };
    const [exact, coded] = [losses('f32'), losses('8bit')];
    expect(exact.at(-1)!).toBeLessThan(0.5 * exact[0]!);
    coded.forEach((loss, step) => expect(Math.abs(loss - exact[step]!)).toBeLessThan(5e-4 * exact[0]!));
  });
});
