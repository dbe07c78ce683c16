import fc from 'fast-check';
import { BatchPlan, evaluationBatches, microBatch, type BatchOptions } from '../../ts/data/batches';
import { TokenDataset } from '../../ts/data/dataset';
import { splitDataset } from '../../ts/data/split';

const options: BatchOptions = {
  batchSize: 3,
  gradientAccumulation: 2,
  sequenceLength: 16,
  packing: false,
  shuffle: true,
  seed: 5,
};

/** Rows of given lengths; row i holds the token i and has the sample number 10 i. */
function datasetOf(lengths: number[]): TokenDataset {
  const dataset = new TokenDataset();
  lengths.forEach((length, row) => {
    const loss = new Uint8Array(length).fill(1);
    loss[0] = 0;
    dataset.add({ tokens: new Int32Array(length).fill(row), loss, sample: 10 * row });
  });
  return dataset;
}

const someLengths = fc.array(fc.integer({ min: 2, max: 16 }), { minLength: 1, maxLength: 60 });
const someOptions = fc.record({
  batchSize: fc.integer({ min: 1, max: 5 }),
  gradientAccumulation: fc.integer({ min: 1, max: 4 }),
  sequenceLength: fc.constant(16),
  packing: fc.boolean(),
  shuffle: fc.boolean(),
  seed: fc.maxSafeNat(),
});

test('every token once an epoch, in batches within their bounds', () => {
  fc.assert(
    fc.property(someLengths, someOptions, (lengths, chosen) => {
      const dataset = datasetOf(lengths);
      const plan = new BatchPlan(dataset, chosen);
      const first = plan.stepsIn(1);
      for (const [epoch, begin, end] of [
        [0, 0, first],
        [1, first, plan.stepsIn(2)],
      ] as const) {
        const seen: number[] = [];
        for (let step = begin; step < end; step++) {
          const { epoch: number, batches } = plan.at(step);
          expect(number).toBe(epoch);
          expect(batches.length).toBeLessThanOrEqual(chosen.gradientAccumulation);
          for (const batch of batches) {
            expect(batch.documentOffsets.at(-1)).toBe(batch.tokens.length);
            expect(batch.tokens.length).toBeLessThanOrEqual(chosen.batchSize * chosen.sequenceLength);
            if (!chosen.packing) expect(batch.samples.length).toBeLessThanOrEqual(chosen.batchSize);
            seen.push(...batch.samples);
          }
        }
        expect(seen.sort((a, b) => a - b)).toEqual(lengths.map((_, row) => 10 * row));
      }
    }),
  );
});

test('a step is the same whichever steps were asked for before', () => {
  fc.assert(
    fc.property(
      someLengths,
      someOptions,
      fc.array(fc.nat(40), { minLength: 1 }),
      (lengths, chosen, steps) => {
        const dataset = datasetOf(lengths);
        const used = new BatchPlan(dataset, chosen);
        for (const step of steps) expect(used.at(step)).toEqual(new BatchPlan(dataset, chosen).at(step));
      },
    ),
  );
});

test('epochs differ in order when shuffled, and follow the data when not', () => {
  const dataset = datasetOf(Array.from({ length: 12 }, () => 4));
  const samples = (plan: BatchPlan, step: number): number[] =>
    plan.at(step).batches.flatMap(({ samples }) => [...samples]);
  const shuffled = new BatchPlan(dataset, options);
  expect(samples(shuffled, 0)).not.toEqual(samples(shuffled, 2));
  const plain = new BatchPlan(dataset, { ...options, shuffle: false });
  expect(samples(plain, 0)).toEqual([0, 10, 20, 30, 40, 50]);
  expect(samples(plain, 2)).toEqual(samples(plain, 0));
});

test('counts whole steps for parts of an epoch', () => {
  const plan = new BatchPlan(datasetOf(Array.from({ length: 60 }, () => 4)), options);
  expect(plan.stepsIn(1)).toBe(10);
  expect(plan.stepsIn(3)).toBe(30);
  expect(plan.stepsIn(1.5)).toBe(15);
  expect(plan.stepsIn(0.25)).toBe(3);
  expect(plan.stepsIn(0.001)).toBe(1);
});

test('a micro-batch lays documents one behind another, with labels where the loss is', () => {
  const dataset = datasetOf([3, 2, 4]);
  expect(microBatch(dataset, [2, 0])).toEqual({
    tokens: Int32Array.of(2, 2, 2, 2, 0, 0, 0),
    labels: Int32Array.of(-100, 2, 2, 2, -100, 0, 0),
    documentOffsets: Int32Array.of(0, 4, 7),
    samples: Int32Array.of(20, 0),
  });
});

test('evaluation sees every row once', () => {
  const batches = [...evaluationBatches(datasetOf([16, 8, 8, 3, 16]), 2, 16)];
  expect(batches.flatMap(({ samples }) => [...samples])).toEqual([0, 10, 20, 30, 40]);
  expect(batches.map(({ tokens }) => tokens.length)).toEqual([32, 19]);
});

describe('the split', () => {
  test('parts the rows, keeps their order and their sample numbers, and depends on the seed', () => {
    const dataset = datasetOf(Array.from({ length: 40 }, () => 3));
    const { training, evaluation } = splitDataset(dataset, 0.1, 1);
    const samples = (part: TokenDataset): number[] =>
      Array.from({ length: part.rows }, (_, row) => part.row(row).sample);
    expect(evaluation.rows).toBe(4);
    expect([...samples(training), ...samples(evaluation)].sort((a, b) => a - b)).toEqual(samples(dataset));
    expect(samples(training)).toEqual([...samples(training)].sort((a, b) => a - b));
    expect(samples(splitDataset(dataset, 0.1, 1).evaluation)).toEqual(samples(evaluation));
    expect(samples(splitDataset(dataset, 0.1, 2).evaluation)).not.toEqual(samples(evaluation));
  });

  test('takes at least one row and refuses to take all', () => {
    expect(splitDataset(datasetOf([3, 3, 3]), 0.01, 0).evaluation.rows).toBe(1);
    expect(() => splitDataset(datasetOf([3]), 0.5, 0)).toThrow(
      /^evalFraction: 0\.5 of 1 rows leaves none to train on/,
    );
  });
});

test('the hash tells data sets apart by tokens, masks, borders and sample numbers', () => {
  const hash = (rows: Array<{ tokens: number[]; loss: number[]; sample: number }>): string => {
    const dataset = new TokenDataset();
    for (const { tokens, loss, sample } of rows) {
      dataset.add({ tokens: Int32Array.from(tokens), loss: Uint8Array.from(loss), sample });
    }
    return dataset.hash();
  };
  const hashes = [
    [{ tokens: [1, 2, 3], loss: [0, 1, 1], sample: 0 }],
    [{ tokens: [1, 2, 4], loss: [0, 1, 1], sample: 0 }],
    [{ tokens: [1, 2, 3], loss: [0, 0, 1], sample: 0 }],
    [{ tokens: [1, 2, 3], loss: [0, 1, 1], sample: 1 }],
    [
      { tokens: [1, 2], loss: [0, 1], sample: 0 },
      { tokens: [3], loss: [1], sample: 0 },
    ],
  ].map(hash);
  expect(new Set(hashes).size).toBe(hashes.length);
});

test('a data set grows beyond its first arrays', () => {
  const dataset = datasetOf(Array.from({ length: 500 }, () => 7));
  expect(dataset.tokenCount).toBe(3500);
  expect([...dataset.row(499).tokens]).toEqual([499, 499, 499, 499, 499, 499, 499]);
  expect([...dataset.row(0).loss]).toEqual([0, 1, 1, 1, 1, 1, 1]);
});
