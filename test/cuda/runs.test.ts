/**
 * Training runs on the CUDA engine through the real facade: the reference's losses, checkpoints that go from device to
 * device, runs that are killed and resumed.
 */
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate, loadModel } from '../../ts';
import type { StepEvent } from '../../ts/train/events';
import { train, type TrainOptions } from '../../ts/train/train';
import { describeCudaShared } from '../support/cuda';
import { modelFolder } from '../support/models';
import { Safetensors } from '../support/safetensors';
import { temporaryFolder } from '../support/temporary-folder';
import {
  readTrainingReference,
  referenceOptimizer,
  trainingModels,
  type TrainingRows,
} from '../support/training-reference';
import { sha256 } from '../train/session-support';

const root = temporaryFolder();

function writeRows(name: string, { input_ids, labels }: Pick<TrainingRows, 'input_ids' | 'labels'>): string {
  const file = join(root, `${name}.jsonl`);
  const rows = input_ids.map((ids, row) => JSON.stringify({ input_ids: ids, labels: labels[row] }));
  writeFileSync(file, `${rows.join('\n')}\n`);
  return file;
}

let runs = 0;
/** The reference's batch as one micro-batch a step, at a constant learning rate of 0.001. */
const options = (model: string, given: Partial<TrainOptions> = {}): TrainOptions => ({
  model: modelFolder(model),
  data: writeRows(model, readTrainingReference(model).batch),
  output: join(root, `run-${++runs}`),
  device: 'cuda',
  noise: false,
  steps: 4,
  batchSize: 3,
  packing: false,
  shuffle: false,
  learningRate: 0.001,
  schedule: 'constant',
  warmupRatio: 0,
  optimizer: referenceOptimizer,
  ...given,
});

type Numbers = Pick<StepEvent, 'loss' | 'gradientNorm'>;
async function numbersOf(given: TrainOptions): Promise<Numbers[]> {
  const numbers: Numbers[] = [];
  for await (const event of train(given))
    if (event.type === 'step') numbers.push({ loss: event.loss, gradientNorm: event.gradientNorm });
  return numbers;
}

function expectNear(received: Numbers[], expected: Numbers[]): void {
  expect(received).toHaveLength(expected.length);
  received.forEach(({ loss, gradientNorm }, step) => {
    expect(Math.abs(loss / expected[step]!.loss - 1)).toBeLessThan(0.004);
    expect(Math.abs(gradientNorm / expected[step]!.gradientNorm - 1)).toBeLessThan(0.02);
  });
}

/** Distance of a moment in two checkpoints, as a part of its length; over all tensors. */
function momentDistance(file: string, one: string, other: string): number {
  const [first, second] = [one, other].map((folder) => new Safetensors(join(folder, file))) as [
    Safetensors,
    Safetensors,
  ];
  let [distance, whole] = [0, 0];
  for (const { name } of first.entries) {
    const [a, b] = [first.values(name), second.values(name)];
    a.forEach((value, index) => {
      distance += (value - b[index]!) ** 2;
      whole += value ** 2;
    });
  }
  return Math.sqrt(distance / whole);
}

const states = ['model.safetensors', 'first-moments.safetensors', 'second-moments.safetensors'];
const hashes = (checkpoint: string): string[] => states.map((file) => sha256(join(checkpoint, file)));
/** A folder that holds a run's checkpoint of `step` alone, as if it had been killed behind it. */
function killedAt(step: number, { output }: TrainOptions): string {
  const folder = join(root, `killed-${++runs}`);
  cpSync(join(output, `checkpoint-${step}`), join(folder, `checkpoint-${step}`), { recursive: true });
  return folder;
}

describeCudaShared('a training run on CUDA', () => {
  test.each(trainingModels)(
    '%s: losses within 0.4 %, gradient norms within 2 % of float64',
    async (model) => {
      const { loss, grad_norm } = readTrainingReference(model).steps;
      expectNear(
        await numbersOf(options(model)),
        loss.map((each, step) => ({ loss: each, gradientNorm: grad_norm[step]! })),
      );
    },
  );

  const [model] = trainingModels as [string];
  const noisy: Partial<TrainOptions> = { steps: 6, saveEvery: 2, keepLast: 3, noise: { length: 3 } };

  test('goes on from its checkpoint with the same bits, and a second run has them, too', async () => {
    const [whole, again] = [options(model, noisy), options(model, noisy)];
    const numbers = await numbersOf(whole);
    expect(await numbersOf(again)).toEqual(numbers);
    const resumed = options(model, { ...noisy, output: killedAt(4, whole) });
    expect(await numbersOf(resumed)).toEqual(numbers.slice(4));
    for (const run of [again, resumed])
      expect(hashes(join(run.output, 'checkpoint-6'))).toEqual(hashes(join(whole.output, 'checkpoint-6')));
  });

  test('takes up what the CPU has written, and the CPU what it has', async () => {
    const onDevice = (device: 'cpu' | 'cuda', given: Partial<TrainOptions> = {}) =>
      options(model, { ...noisy, device, ...given });
    const [cpu, cuda] = [onDevice('cpu'), onDevice('cuda')];
    const expected = await numbersOf(cpu);
    expectNear(await numbersOf(cuda), expected);
    expectNear(await numbersOf(onDevice('cuda', { output: killedAt(4, cpu) })), expected.slice(4));
    expectNear(await numbersOf(onDevice('cpu', { output: killedAt(4, cuda) })), expected.slice(4));
  });

  test('gradient checkpointing and accumulation change what they should: nothing, and the memory', async () => {
    const plain = await numbersOf(options(model));
    expect(await numbersOf(options(model, { gradientCheckpointing: true }))).toEqual(plain);
    expectNear(await numbersOf(options(model, { batchSize: 1, gradientAccumulation: 3 })), plain);
    expectNear(await numbersOf(options(model, { packing: true, sequenceLength: 64, batchSize: 1 })), plain);
  });

  test("8-bit moments: near f32 ones and the CPU's, resumed with the same bits, taken up by the CPU", async () => {
    const coded: Partial<TrainOptions> = {
      ...noisy,
      optimizer: { ...referenceOptimizer, moments: '8bit' },
    };
    const whole = options(model, coded);
    const numbers = await numbersOf(whole);
    const exact = options(model, noisy);
    expectNear(numbers, await numbersOf(exact));
    const cpu = options(model, { ...coded, device: 'cpu' });
    expectNear(await numbersOf(cpu), numbers);
    const checkpoints = [exact, cpu].map(({ output }) => join(output, 'checkpoint-6'));
    for (const file of states.slice(1))
      for (const checkpoint of checkpoints)
        expect(momentDistance(file, join(whole.output, 'checkpoint-6'), checkpoint)).toBeLessThan(0.05);
    const resumed = options(model, { ...coded, output: killedAt(2, whole) });
    expect(await numbersOf(resumed)).toEqual(numbers.slice(2));
    expect(hashes(join(resumed.output, 'checkpoint-6'))).toEqual(hashes(join(whole.output, 'checkpoint-6')));
    const onCpu = options(model, { ...coded, device: 'cpu', output: killedAt(2, whole) });
    expectNear(await numbersOf(onCpu), numbers.slice(2));
  });

  test('begins with a model in memory as with its folder, whatever device holds it', async () => {
    const folder = 'llama-bf16-file';
    const data = writeRows('rows', readTrainingReference(model).batch);
    const fromFolder = options(model, { model: modelFolder(folder), data });
    const expected = await numbersOf(fromFolder);
    for (const device of ['cpu', 'cuda'] as const) {
      await using inMemory = await loadModel(modelFolder(folder), { device });
      const run = options(model, { model: inMemory, data });
      expect(await numbersOf(run)).toEqual(expected);
      expect(hashes(join(run.output, 'checkpoint-4'))).toEqual(
        hashes(join(fromFolder.output, 'checkpoint-4')),
      );
    }
  });

  test('refuses to compute in f32, and says what it computes in', async () => {
    await expect(train(options(model, { dtype: 'f32' }))).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      message: expect.stringMatching(/trains in BF16, not in F32; use dtype 'auto'/) as string,
    });
    await expect(train(options(model, { dtype: 'bf16', steps: 1 }))).resolves.toMatchObject({ steps: 1 });
  });

  test('evaluates, and leaves a model that loads on either device', async () => {
    const evaluated = options(model, {
      steps: 2,
      noise: { length: 3 },
      evalData: writeRows('evaluation', readTrainingReference(model).batch),
      evalPrompts: 2,
      evalNewTokens: 8,
    });
    const evaluations = [];
    for await (const event of train(evaluated)) if (event.type === 'eval') evaluations.push(event);
    const { model: folder, report } = await train({ ...evaluated, resume: 'auto' });
    expect(evaluations).toHaveLength(1);
    expect(evaluations[0]!.denoisingAccuracy).toHaveLength(3);
    expect(evaluations[0]!.tokensPerStep).toBeGreaterThanOrEqual(1);
    expect(report.device.kind).toMatch(/^cuda/);
    for (const device of ['cpu', 'cuda'] as const) {
      await using trained = await loadModel(folder, { device });
      const { tokens } = await generate(trained, { tokens: [1, 7, 9], maxNewTokens: 6, eosTokens: [] });
      expect(tokens).toHaveLength(6);
    }
    expect(readdirSync(folder)).toContain('model.safetensors');
  });
});
