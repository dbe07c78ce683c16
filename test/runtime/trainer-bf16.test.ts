/**
 * Training with activations in bf16, planned as for a device that computes so and run on the CPU, against float64.
 * bf16 keeps 8 bits, so that a single rounding is off by up to 2^-9 = 0.2 %.
 */
import { join } from 'node:path';
import type { NativeMicroBatch } from '../../ts/native/contract';
import { folderShape, modelFolder } from '../support/models';
import { expectSameBits } from '../support/operations';
import { Safetensors, tensorTable } from '../support/safetensors';
import { tinyShape } from '../support/shapes';
import { describeShared, loadTesting } from '../support/testing';
import { createTrainer, packRows, type TestTrainer, type TrainerOptions } from '../support/trainer';
import {
  readTrainingReference,
  referenceOptimizer,
  trainingModels,
  type TrainingReference,
} from '../support/training-reference';

const optimizer = { ...referenceOptimizer, clipNorm: 1 };
const create = (options: TrainerOptions): TestTrainer =>
  createTrainer({ optimizer, activations: 'bf16', ...options });

const length = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

describeShared.each(trainingModels)('training %s in bf16', (model) => {
  const folder = modelFolder(model);
  const file = (name: string): string => join(folder, name);
  let training: TrainingReference;
  let batch: NativeMicroBatch;
  beforeAll(() => {
    training = readTrainingReference(model);
    batch = packRows(training.batch.input_ids, training.batch.labels);
  });
  const createHere = (): TestTrainer =>
    create({ shape: folderShape(folder), tensors: tensorTable(folder), threads: 2 });

  test('losses of four steps within 0.4 %, gradient norms within 2 %', () => {
    const trainer = createHere();
    const { loss, grad_norm } = training.steps;
    loss.forEach((expected, index) => {
      const step = trainer.step([batch], 0, 0.001);
      expect(Math.abs(step.loss / expected - 1)).toBeLessThan(0.004);
      expect(Math.abs(step.gradientNorm / grad_norm[index]! - 1)).toBeLessThan(0.02);
    });
  });

  // The gradient of a key's bias is almost zero, as the softmax does not see it: the whole gradient counts too.
  test('every gradient within 6 % of its length and 0.2 % of the whole', () => {
    const trainer = createHere();
    const { gradientNorm } = trainer.step([batch], 0, 0.001);
    const expected = new Safetensors(file('training.safetensors'));
    for (const { name } of tensorTable(folder)) {
      const want = Float64Array.from(expected.values(`step1.grad.${name}`));
      const got = trainer.gradient(name);
      const error = length(want.map((value, index) => value - got[index]!));
      if (!(error < 0.06 * length(want) + 0.002 * gradientNorm))
        throw new Error(`${name}: off by ${error}, length ${length(want)}`);
    }
  });
});

describe('weights', () => {
  const shape = tinyShape({ tiedHead: false, attentionBias: true, queryKeyNorm: true });
  const names = (loadTesting().tensorSpecs!({ ...shape }) as Array<{ name: string }>).map(({ name }) => name);
  const row = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
  const batch = packRows([row], [row]);
  const make = (seed: number): TestTrainer => create({ shape, seed, initializerRange: 0.3 });

  test('steps too small for bf16 are kept by the f32 masters', () => {
    const trainer = make(1);
    const before = trainer.state('weights', names[0]!);
    trainer.step([batch], 0, 1e-6);
    const after = trainer.state('weights', names[0]!);
    expect(after.filter((value, index) => value !== before[index]).length).toBeGreaterThan(100);
    expect(Math.max(...after.map((value, index) => Math.abs(value - before[index]!)))).toBeLessThan(2e-6);
  });

  test('what products read is the rounded master, whether the optimizer or a checkpoint wrote it', () => {
    const [whole, other] = [make(1), make(2)];
    for (let step = 0; step < 3; ++step) whole.step([batch], step, 0.01);
    for (const which of ['weights', 'firstMoments', 'secondMoments'] as const) {
      other.restore(which, Object.fromEntries(names.map((name) => [name, whole.state(which, name)])));
    }
    other.stepsDone(whole.stepsDone());
    for (let step = 3; step < 6; ++step) {
      expect(other.step([batch], step, 0.01)).toEqual(whole.step([batch], step, 0.01));
    }
    for (const name of names) expectSameBits(other.state('weights', name), whole.state('weights', name));
  });

  test('a matrix enters rounded, a norm as it is', () => {
    // A change below half a bf16 step of 1.
    const nudged = (name: string, value: number): number => {
      const trainer = make(1);
      const weights = Object.fromEntries(names.map((each) => [each, trainer.state('weights', each)]));
      weights[name]!.fill(value);
      trainer.restore('weights', weights);
      return trainer.evaluate(batch).loss;
    };
    const matrix = 'model.layers.0.mlp.down_proj.weight';
    const norm = 'model.norm.weight';
    expect(nudged(matrix, 1.001)).toBe(nudged(matrix, 1));
    expect(nudged(norm, 1.003)).not.toBe(nudged(norm, 1));
  });
});
