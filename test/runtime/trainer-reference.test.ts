/** The trainer against losses, gradients and optimizer steps computed in float64 elsewhere. */
import { join } from 'node:path';
import { folderShape, modelFolder } from '../support/models';
import { Safetensors, tensorTable } from '../support/safetensors';
import { describeShared, instructionSets } from '../support/testing';
import { createTrainer, packRows, type TestTrainer } from '../support/trainer';
import {
  readTrainingReference,
  referenceOptimizer,
  trainingModels,
  type TrainingReference,
} from '../support/training-reference';

const optimizer = { ...referenceOptimizer, clipNorm: 1 };

function expectClose(received: number, expected: number, relative = 1e-5): void {
  expect(Math.abs(received - expected)).toBeLessThanOrEqual(relative * Math.abs(expected));
}

describeShared.each(trainingModels)('training %s as the reference does', (model) => {
  const folder = modelFolder(model);
  const file = (name: string): string => join(folder, name);
  let training: TrainingReference;
  let expected: Safetensors;
  let names: string[];
  beforeAll(() => {
    training = readTrainingReference(model);
    expected = new Safetensors(file('training.safetensors'));
    names = tensorTable(folder).map((entry) => entry.name);
  });
  const create = (instructions = ''): TestTrainer =>
    createTrainer({
      shape: folderShape(folder),
      tensors: tensorTable(folder),
      optimizer,
      instructions,
      threads: 2,
    });

  // A gradient's error is measured against the largest gradient of its tensor.
  function expectGradients(trainer: TestTrainer, prefix: string): void {
    for (const name of names) {
      const want = Float64Array.from(expected.values(`${prefix}.grad.${name}`));
      const got = trainer.gradient(name);
      expect(got.length).toBe(want.length);
      const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const worst = want.reduce((most, value, index) => Math.max(most, Math.abs(value - got[index]!)), 0);
      if (!(worst <= 2e-5 * largest))
        throw new Error(`${prefix} ${name}: off by ${worst}, largest ${largest}`);
    }
  }

  test.each(instructionSets())('one step on %s: loss, norm and every gradient', (instructions) => {
    const trainer = create(instructions);
    const step = trainer.step([packRows(training.batch.input_ids, training.batch.labels)], 0, 0.001);
    expectClose(step.loss, training.step1.loss);
    expectClose(step.gradientNorm, training.step1.grad_norm);
    expect(step.lossTokens).toBe(training.batch.targets);
    expectGradients(trainer, 'step1');
  });

  test('four steps of AdamW: losses, norms and weights', () => {
    const trainer = create();
    const batch = packRows(training.batch.input_ids, training.batch.labels);
    training.steps.loss.forEach((loss, index) => {
      const step = trainer.step([batch], 0, 0.001);
      expectClose(step.loss, loss);
      expectClose(step.gradientNorm, training.steps.grad_norm[index]!);
    });
    expect(trainer.stepsDone()).toBe(4);
    const after = trainer.evaluate(batch);
    expectClose(after.loss / after.lossTokens, training.steps.loss_after);

    let sum = 0;
    let count = 0;
    let exceptions = 0;
    for (const name of names) {
      const want = Float64Array.from(expected.values(`step4.weight.${name}`));
      const got = trainer.state('weights', name);
      want.forEach((value, index) => {
        const error = Math.abs(value - got[index]!);
        sum += error;
        count += 1;
        if (error > 1e-5) exceptions += 1;
        if (!(error < 4 * 2 * 0.001)) throw new Error(`${name}[${index}] is off by ${error}`);
      });
    }
    expect(sum / count).toBeLessThan(2e-7);
    expect(exceptions).toBeLessThanOrEqual(10);
  });

  test('micro-batches are normalised by the loss tokens of the whole step', () => {
    const trainer = create();
    const batches = training.accumulation.micro_batches.map((rows) => packRows(rows.input_ids, rows.labels));
    const step = trainer.step(batches, 0, 0.001);
    expectClose(step.loss, training.accumulation.loss);
    expectClose(step.gradientNorm, training.accumulation.grad_norm);
    expect(step.lossTokens).toBe(training.accumulation.targets);
    expectGradients(trainer, 'accumulation');
  });

  test('documents packed in one row do not see each other', () => {
    const trainer = create();
    const { input_ids, labels, document_lengths } = training.packed;
    let begin = 0;
    const cut = (values: number[]): number[][] => {
      begin = 0;
      return document_lengths.map((length) => values.slice(begin, (begin += length)));
    };
    const step = trainer.step([packRows(cut(input_ids), cut(labels))], 0, 0.001);
    expectClose(step.loss, training.packed.loss);
    expectClose(step.gradientNorm, training.packed.grad_norm);
    expect(step.lossTokens).toBe(training.packed.targets);
    expectGradients(trainer, 'packed');
  });

  test('noised inputs keep the labels of the original tokens', () => {
    const trainer = create();
    const step = trainer.step([packRows(training.noised.input_ids, training.batch.labels)], 0, 0.001);
    expectClose(step.loss, training.noised.loss);
    expectClose(step.gradientNorm, training.noised.grad_norm);
    expectGradients(trainer, 'noised');
  });
});
