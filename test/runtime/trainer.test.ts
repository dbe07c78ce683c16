import type { NativeMicroBatch, NativeModelShape, TrainingTensors } from '../../ts/native/contract';
import { expectSameBits, randomNumbers } from '../support/operations';
import { tinyShape } from '../support/shapes';
import { i32, instructionSets, loadTesting } from '../support/testing';
import { createTrainer, packRows, type TestTrainer, type TrainerOptions } from '../support/trainer';

const { tensorSpecs, noise: noiseOperation } = loadTesting();

const shape = tinyShape({ attentionBias: true, queryKeyNorm: true, contextLength: 64 });
const tensorNames = (of: NativeModelShape): string[] =>
  (tensorSpecs!({ ...of }) as Array<{ name: string }>).map(({ name }) => name);
const names = tensorNames(shape);
const create = (options: Partial<TrainerOptions> = {}): TestTrainer =>
  createTrainer({ shape, seed: 5, initializerRange: 0.3, ...options });

/** Rows of random tokens, the first `prompt` of each without loss. */
function drawBatch(seed: number, lengths: number[], prompt = 3): NativeMicroBatch {
  const next = randomNumbers(seed);
  const rows = lengths.map((length) => Array.from({ length }, () => Math.floor((next() + 1) * 12)));
  return packRows(
    rows,
    rows.map((row) => row.map((token, i) => (i < prompt ? -100 : token))),
  );
}

const snapshot = (trainer: TestTrainer, which: TrainingTensors = 'weights'): Record<string, Float32Array> =>
  Object.fromEntries(names.map((name) => [name, trainer.state(which, name)]));

function expectSameTensors(
  received: Record<string, Float32Array>,
  expected: Record<string, Float32Array>,
): void {
  for (const name of names) expectSameBits(received[name]!, expected[name]!);
}

function codeOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
}

describe('a training step', () => {
  test.each([
    ['tied, biases and norms of q and k', shape],
    ['untied, window', tinyShape({ tiedHead: false, window: 5, kvHeads: 4, headDim: 6 })],
  ])('every gradient is the slope of the loss: %s', (_, of) => {
    const trainer = create({ shape: of, optimizer: { clipNorm: 0 } });
    const specs = tensorNames(of);
    const batch = drawBatch(1, [13, 7, 2, 20]);
    const { lossTokens } = trainer.step([batch], 0, 0);
    const weights = Object.fromEntries(specs.map((name) => [name, trainer.state('weights', name)]));
    const lossWith = (name: string, values: Float32Array): number => {
      trainer.restore('weights', { ...weights, [name]: values });
      return trainer.evaluate(batch).loss / lossTokens;
    };
    for (const name of specs) {
      const gradient = trainer.gradient(name);
      const size = Math.hypot(...gradient);
      const moved = (distance: number): Float32Array =>
        weights[name]!.map((value, i) => value + (distance * gradient[i]!) / size);
      const slope = (lossWith(name, moved(0.004)) - lossWith(name, moved(-0.004))) / 0.008;
      if (!(Math.abs(slope - size) <= 0.005 * size + 1e-4))
        throw new Error(`${name}: slope ${slope}, gradient ${size}`);
    }
  });

  test('loss and gradient norm do not depend on the threads, nor does any weight', () => {
    for (const instructions of instructionSets()) {
      const run = (threads: number) => {
        const trainer = create({ instructions, threads, noise: { length: 3 } });
        const steps = [0, 1, 2].map((seed) => trainer.step([drawBatch(seed, [30, 9, 41])], 0, 0.01));
        return { steps, weights: snapshot(trainer) };
      };
      const one = run(1);
      const three = run(3);
      expect(three.steps).toEqual(one.steps);
      expectSameTensors(three.weights, one.weights);
    }
  });

  test('micro-batches weigh by their loss tokens', () => {
    const whole = create();
    const parts = create();
    const one = whole.step([drawBatch(3, [20, 12, 5], 2)], 0, 0.01);
    const rows = drawBatch(3, [20, 12, 5], 2);
    const cut = (from: number, to: number): NativeMicroBatch => ({
      tokens: rows.tokens.slice(rows.documentOffsets[from], rows.documentOffsets[to]),
      labels: rows.labels.slice(rows.documentOffsets[from], rows.documentOffsets[to]),
      documentOffsets: rows.documentOffsets
        .slice(from, to + 1)
        .map((offset) => offset - rows.documentOffsets[from]!),
      samples: rows.samples.slice(from, to),
    });
    const two = parts.step([cut(0, 1), cut(1, 3)], 0, 0.01);
    expect(two.lossTokens).toBe(one.lossTokens);
    expect(two.inputTokens).toBe(37);
    expect(two.loss).toBeCloseTo(one.loss, 5);
    expect(two.gradientNorm).toBeCloseTo(one.gradientNorm, 4);
  });

  test('learns a text by heart, and then denoises it', () => {
    const trainer = create({ noise: { length: 3 }, optimizer: { weightDecay: 0.01 } });
    const tokens = Array.from({ length: 24 }, (_, i) => (i * 7 + (i >> 2)) % 24);
    const batch = packRows([tokens], [tokens.map((token, i) => (i < 4 ? -100 : token))]);
    const first = trainer.step([batch], 0, 0.01);
    for (let epoch = 1; epoch < 200; ++epoch) trainer.step([batch], epoch, 0.01);
    const { loss, lossTokens, correct, counted } = trainer.evaluate(batch, { length: 3 });
    expect(lossTokens).toBe(20);
    expect(loss / lossTokens).toBeLessThan(0.1 * first.loss);
    expect(counted).toEqual([1, 1, 1]);
    expect(correct).toEqual([1, 1, 1]);
  });

  test('decay moves matrices only', () => {
    const trainer = create({ optimizer: { weightDecay: 0.5, clipNorm: 1e-30 } });
    const before = snapshot(trainer);
    trainer.step([drawBatch(1, [10])], 0, 0.01);
    const after = snapshot(trainer);
    const norm = 'model.norm.weight';
    const embedding = 'model.embed_tokens.weight';
    expect(Math.max(...after[norm]!.map((value, i) => Math.abs(value - before[norm]![i]!)))).toBeLessThan(
      1e-6,
    );
    after[embedding]!.forEach((value, i) =>
      expect(value).toBeCloseTo(before[embedding]![i]! * (1 - 0.005), 5),
    );
  });
});

describe('noise in training', () => {
  test('is the noise operation on the inputs, labels kept', () => {
    const batch = drawBatch(4, [30, 25], 4);
    const noise = { length: 4, segments: 2, seed: 77 };
    const noised = i32(batch.tokens);
    noiseOperation!({
      ...{ ...noise, epoch: 6, kind: 'ahead', vocabulary: 24, tokens: i32(batch.tokens), noised },
      lossMask: { data: Uint8Array.from(batch.labels, (label) => (label >= 0 ? 1 : 0)), shape: [55] },
      ...{ documentOffsets: i32(batch.documentOffsets), samples: i32(batch.samples) },
    });
    expect([...noised.data]).not.toEqual([...batch.tokens]);
    const withNoise = create({ noise });
    const without = create();
    const expected = without.step([{ ...batch, tokens: noised.data as Int32Array }], 0, 0.01);
    expect(withNoise.step([batch], 6, 0.01)).toEqual(expected);
    expectSameTensors(snapshot(withNoise), snapshot(without));
  });

  test('the evaluation has none in its loss and changes nothing', () => {
    const trainer = create({ noise: { length: 5 } });
    const batch = drawBatch(5, [30, 20, 4, 3], 3);
    const before = snapshot(trainer);
    const plain = trainer.evaluate(batch);
    expect(plain.correct).toEqual([]);
    const { loss, lossTokens, correct, counted } = trainer.evaluate(batch, { length: 5 });
    expect({ loss, lossTokens }).toEqual({ loss: plain.loss, lossTokens: plain.lossTokens });
    expect(lossTokens).toBe(27 + 17 + 1);
    expect(counted).toEqual([2, 2, 2, 2, 2]);
    correct.forEach((count) => expect(count).toBeLessThanOrEqual(2));
    expectSameTensors(snapshot(trainer), before);
    const untouched = create().step([batch], 0, 0);
    expect(loss / lossTokens).toBeCloseTo(untouched.loss, 10);
  });
});

describe('the state of a trainer', () => {
  test('restored in another trainer, it goes on with the same bits', () => {
    const options = { noise: { length: 3 }, optimizer: { weightDecay: 0.1 } };
    const whole = create(options);
    const half = create(options);
    const batches = [1, 2, 3, 4, 5].map((seed) => drawBatch(seed, [20, 11]));
    const expected = batches.map((batch, step) => whole.step([batch], step, 0.01));
    batches.slice(0, 2).forEach((batch, step) => half.step([batch], step, 0.01));
    const resumed = create({ ...options, seed: 99 });
    for (const which of ['weights', 'firstMoments', 'secondMoments'] as const)
      resumed.restore(which, snapshot(half, which));
    resumed.stepsDone(half.stepsDone());
    batches
      .slice(2)
      .forEach((batch, i) => expect(resumed.step([batch], i + 2, 0.01)).toEqual(expected[i + 2]));
    expect(resumed.stepsDone()).toBe(5);
    for (const which of ['weights', 'firstMoments', 'secondMoments'] as const)
      expectSameTensors(snapshot(resumed, which), snapshot(whole, which));
  });

  test('NaN is refused and named', () => {
    const trainer = create();
    const weights = snapshot(trainer);
    weights['model.norm.weight']![3] = NaN;
    expect(codeOf(() => trainer.restore('weights', weights))).toBe('ERR_MODEL_FORMAT');
    expect(() => trainer.restore('weights', weights)).toThrow(
      'model.norm.weight: element 3 is NaN or infinite',
    );
  });

  test('an aborted step leaves it as it was', () => {
    const trainer = create();
    const reference = create();
    const batch = drawBatch(1, [20]);
    trainer.step([batch], 0, 0.01);
    reference.step([batch], 0, 0.01);
    expect(codeOf(() => trainer.step([drawBatch(2, [9])], 0, 0.01, true))).toBe('ERR_ABORTED');
    expect(trainer.stepsDone()).toBe(1);
    expect(trainer.step([batch], 0, 0.01)).toEqual(reference.step([batch], 0, 0.01));
    expectSameTensors(snapshot(trainer), snapshot(reference));
  });

  test('so does a step whose loss is not finite, and the error says what to do', () => {
    const trainer = create();
    const weights = snapshot(trainer);
    weights['lm_head.weight'] = weights['model.embed_tokens.weight']!.fill(3e38);
    trainer.restore('weights', weights);
    const step = (): unknown => trainer.step([drawBatch(1, [20])], 0, 0.01);
    expect(codeOf(step)).toBe('ERR_INTERNAL');
    expect(step).toThrow(
      /^training step 1: the (loss|gradient norm) is not finite .*Lower the learning rate/,
    );
    expect(trainer.stepsDone()).toBe(0);
    expectSameTensors(snapshot(trainer), weights);
  });
});

describe('batches that make no sense', () => {
  const good = packRows([[1, 2, 3, 4]], [[-100, -100, 3, 4]]);
  test.each<[string, Partial<NativeMicroBatch>, string]>([
    [
      'token',
      { tokens: Int32Array.of(1, 24, 3, 4) },
      'tokens[1]: expected a token id from 0 to 23, received 24',
    ],
    ['negative token', { tokens: Int32Array.of(1, -1, 3, 4) }, 'tokens[1]'],
    ['label', { labels: Int32Array.of(-100, -100, 3, 99) }, 'labels[3]: expected -100 or a token id'],
    ['negative label', { labels: Int32Array.of(-100, -1, 3, 4) }, 'labels[1]'],
    ['count of labels', { labels: Int32Array.of(-100, 2) }, 'labels: expected 4 values, received 2'],
    ['no document', { documentOffsets: Int32Array.of(0) }, 'documentOffsets: expected at least one document'],
    ['first offset', { documentOffsets: Int32Array.of(1, 4) }, 'documentOffsets[0]: expected 0, received 1'],
    ['last offset', { documentOffsets: Int32Array.of(0, 5) }, 'documentOffsets[1]: expected 4'],
    [
      'falling offsets',
      { documentOffsets: Int32Array.of(0, 3, 2, 4), samples: Int32Array.of(0, 1, 2) },
      'documentOffsets[2]: expected more than 3, received 2',
    ],
    ['count of samples', { samples: Int32Array.of(0, 1) }, 'samples: expected 1 values, received 2'],
    ['no loss', { labels: new Int32Array(4).fill(-100) }, 'no token counts in the loss'],
    [
      'loss on the first token only',
      { labels: Int32Array.of(1, -100, -100, -100) },
      'no token counts in the loss',
    ],
  ])('%s', (_, change, message) => {
    const trainer = create();
    const before = snapshot(trainer);
    const step = (): unknown =>
      trainer.step([good, { ...good, ...change }].slice(message.startsWith('no') ? 1 : 0), 0, 0.1);
    expect(step).toThrow(message);
    expect(codeOf(step)).toBe('ERR_INVALID_ARGUMENT');
    expect(trainer.stepsDone()).toBe(0);
    expectSameTensors(snapshot(trainer), before);
  });

  test('a document longer than the context', () => {
    expect(() => create().step([drawBatch(1, [65])], 0, 0.1)).toThrow(
      "documentOffsets[1]: a document of 65 tokens exceeds the model's context of 64",
    );
  });

  test('no batch at all', () => {
    expect(codeOf(() => create().step([], 0, 0.1))).toBe('ERR_INVALID_ARGUMENT');
  });
});
