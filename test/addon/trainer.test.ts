/** A trainer through the addon: its steps, its snapshots, its state in and out, and its end. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MakeSomeNoiseError } from '../../ts/errors';
import type {
  NativeMicroBatch,
  NativeModel,
  NativeNoiseOptions,
  NativeTrainer,
  NativeTrainerOptions,
  TrainingTensors,
} from '../../ts/native/contract';
import { tinyShape } from '../support/shapes';
import { temporaryFolder } from '../support/temporary-folder';
import { packRows } from '../support/trainer';
import { device, generateSteps, ignore, native, never, rejection, request, tinyModel } from './support';

const optimizer = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
  moments: 'f32',
} as const;
const noise: NativeNoiseOptions = { enabled: true, kind: 'ahead', length: 3, segments: 1, seed: 5 };
const options: NativeTrainerOptions = { optimizer, noise, gradientCheckpointing: false, dtype: 'auto' };
const row = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
const batch: NativeMicroBatch = packRows([row], [row.map((token, index) => (index < 2 ? -100 : token))]);

const makeTrainer = (model: NativeModel, given = options): Promise<NativeTrainer> =>
  native.createTrainer(tinyShape(), [], model, given, device, never());

let model: NativeModel;
let trainer: NativeTrainer;
beforeEach(async () => {
  model = await tinyModel();
  trainer = await makeTrainer(model);
});
afterEach(() => {
  trainer.dispose();
  model.dispose();
});

test('it starts from the weights of the model, and steps lower the loss', async () => {
  expect(trainer.parameters).toBe(model.parameters);
  expect(trainer.stepsDone).toBe(0);
  const losses: number[] = [];
  for (let epoch = 0; epoch < 30; ++epoch) {
    const step = await trainer.step([batch, batch], epoch, 0.01, never());
    expect(step).toMatchObject({ lossTokens: 16, inputTokens: 20 });
    expect(step.gradientNorm).toBeGreaterThan(0);
    losses.push(step.loss);
  }
  expect(trainer.stepsDone).toBe(30);
  expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
});

test('a snapshot is the model as it is now, and works beside the trainer', async () => {
  const before = await trainer.snapshot('f32', never());
  const texts = await Promise.all([generateSteps(before), generateSteps(model)]);
  expect(texts[0].map((step) => step.tokens)).toEqual(texts[1].map((step) => step.tokens));
  const [step, scores] = await Promise.all([
    trainer.step([batch], 0, 0.01, never()),
    before.score(Int32Array.of(1, 2, 3), never()),
  ]);
  expect(step.loss).toBeGreaterThan(0);
  expect(scores).toEqual(await model.score(Int32Array.of(1, 2, 3), never()));
  const after = await trainer.snapshot('f32', never());
  expect(await after.score(Int32Array.of(1, 2, 3), never())).not.toEqual(scores);
  trainer.dispose();
  expect(await generateSteps(after)).not.toHaveLength(0);
  before.dispose();
  after.dispose();
});

test('evaluation counts by offset, with the noise it is given', async () => {
  const noisy = await trainer.evaluate(batch, noise, never());
  expect(noisy.lossTokens).toBe(8);
  expect(noisy.lossSum).toBeGreaterThan(0);
  expect([...noisy.counted]).toEqual([1, 1, 1]);
  const plain = await trainer.evaluate(batch, { ...noise, enabled: false }, never());
  expect(plain.lossSum).toBe(noisy.lossSum);
  expect(plain.counted).toHaveLength(0);
});

test('a trainer restored from the files of another goes on with the same bits', async () => {
  const folder = temporaryFolder();
  await trainer.step([batch], 0, 0.01, never());
  const other = await makeTrainer(await tinyModel({}, 77));
  const names = trainer.tensorSpecs().map((spec) => spec.name);
  for (const which of ['weights', 'firstMoments', 'secondMoments'] satisfies TrainingTensors[]) {
    const file = join(folder, which);
    await trainer.writeTensors(which, file, new Uint8Array(8), names, 'F32', never());
    let end = 8;
    const entries = trainer.tensorSpecs().map(({ name, shape }) => {
      const begin = end;
      end += 4 * shape.reduce((product, size) => product * size, 1);
      return { name, dtype: 'F32' as const, shape, file, begin, end };
    });
    expect(readFileSync(file)).toHaveLength(end);
    await other.restore(which, entries, never());
  }
  other.stepsDone = trainer.stepsDone;
  expect(other.stepsDone).toBe(1);
  const [mine, theirs] = await Promise.all(
    [trainer, other].map(async (each) => {
      const { loss, gradientNorm } = await each.step([batch], 1, 0.01, never());
      return { loss, gradientNorm, weight: each.weight(names[1]!), gradient: each.gradient(names[1]!) };
    }),
  );
  expect(theirs).toEqual(mine);
  other.dispose();
});

test('what cannot be read while a job runs says so', async () => {
  const running = trainer.step([batch], 0, 0.01, never());
  expect(() => trainer.weight('model.norm.weight')).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringContaining('await') }),
  );
  await running;
  expect(trainer.weight('model.norm.weight')).toHaveLength(16);
  expect(() => trainer.weight('other')).toThrow("name: expected the name of one of the model's tensors");
});

test('a raised token leaves weights and step count as they were', async () => {
  const weight = trainer.weight('model.norm.weight');
  const cancel = native.createCancelToken();
  native.cancel(cancel);
  expect(await rejection(trainer.step([batch], 0, 0.01, cancel))).toMatchObject({ code: 'ERR_ABORTED' });
  expect(trainer.weight('model.norm.weight')).toEqual(weight);
  expect(trainer.stepsDone).toBe(0);
});

test.each<[string, () => Promise<unknown>]>([
  [
    'batches[0].labels: expected one label for each of 10 tokens',
    () => trainer.step([{ ...batch, labels: Int32Array.of(1) }], 0, 0.1, never()),
  ],
  [
    'batches[1].documentOffsets: expected ascending offsets from 0 to the 10 tokens',
    () => trainer.step([batch, { ...batch, documentOffsets: Int32Array.of(0, 99) }], 0, 0.1, never()),
  ],
  [
    'batches[0].samples: expected one row number for each of 1 documents',
    () => trainer.step([{ ...batch, samples: new Int32Array() }], 0, 0.1, never()),
  ],
  ['learningRate: expected a finite number, received NaN', () => trainer.step([batch], 0, NaN, never())],
  [
    "noise.kind: expected 'ahead' | 'uniform', received \"white\"",
    () => trainer.evaluate(batch, { ...noise, kind: 'white' as never }, never()),
  ],
  [
    "which: expected 'weights' | 'firstMoments' | 'secondMoments', received \"all\"",
    () => trainer.restore('all' as never, [], never()),
  ],
  [
    'tensors: expected either tensors or a model',
    () => native.createTrainer(tinyShape(), [], undefined, options, device, never()),
  ],
  [
    "options.optimizer.moments: expected 'f32' | '8bit', received \"4bit\"",
    () => makeTrainer(model, { ...options, optimizer: { ...optimizer, moments: '4bit' as never } }),
  ],
  [
    'options.gradientCheckpointing: expected true or false, received 1',
    () => makeTrainer(model, { ...options, gradientCheckpointing: 1 as never }),
  ],
  [
    "options.dtype: expected 'auto' | 'f32' | 'bf16', received \"int8\"",
    () => makeTrainer(model, { ...options, dtype: 'int8' as never }),
  ],
  [
    'model: expected a NativeModel, received an object',
    () => native.createTrainer(tinyShape(), [], {} as never, options, device, never()),
  ],
])('%s', async (message, call) => {
  const error = await rejection(call());
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message });
});

test('a dtype that the device does not train in is refused, with the one that it does', async () => {
  expect(trainer.dtype).toBe('f32');
  const error = (await rejection(makeTrainer(model, { ...options, dtype: 'bf16' }))) as Error;
  expect(error).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  expect(error.message).toBe(
    "dtype: device 'cpu' trains in F32, not in BF16; use dtype 'auto', or another device",
  );
  (await makeTrainer(model, { ...options, dtype: 'f32' })).dispose();
});

test('token ids outside the vocabulary are refused', async () => {
  const wrong = packRows([[3, 99, 4]], [[-100, 99, 4]]);
  expect(await rejection(trainer.step([wrong], 0, 0.1, never()))).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('99'),
  });
});

test('a trainer is made behind the running jobs of its model, and outlives it', async () => {
  const generating = model.generate(request({ maxNewTokens: 200 }), ignore, ignore, never());
  const making = makeTrainer(model);
  model.dispose();
  await generating;
  const made = await making;
  expect((await made.step([batch], 0, 0.01, never())).loss).toBeGreaterThan(0);
  made.dispose();
});

test('a disposed trainer refuses everything, and is disposed of twice without harm', async () => {
  const running = trainer.step([batch], 0, 0.01, never());
  trainer[Symbol.dispose]();
  trainer.dispose();
  expect((await running).loss).toBeGreaterThan(0);
  const disposed = { code: 'ERR_DISPOSED' };
  expect(await rejection(trainer.step([batch], 0, 0.01, never()))).toMatchObject(disposed);
  expect(await rejection(trainer.snapshot('f32', never()))).toMatchObject(disposed);
  expect(() => (trainer.stepsDone = 3)).toThrow(expect.objectContaining(disposed));
});

test('noise shows what a training step would see, and nothing when it is off', () => {
  const noised = native.noise(batch, noise, 0, 24);
  const changed = [...noised].flatMap((token, index) => (token === row[index] ? [] : [index]));
  expect(noised).toHaveLength(10);
  expect(Math.min(...changed)).toBeGreaterThanOrEqual(2);
  expect(Math.max(...changed) - Math.min(...changed)).toBeLessThan(3);
  expect(native.noise(batch, noise, 0, 24)).toEqual(noised);
  expect([...native.noise(batch, { ...noise, enabled: false }, 0, 24)]).toEqual(row);
});
