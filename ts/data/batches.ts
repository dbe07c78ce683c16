/** Which documents each optimizer step sees: a function of (seed, epoch, step), so a run can go on anywhere. */
import type { NativeMicroBatch } from '../native/contract';
import { NO_LOSS, type TokenDataset } from './dataset';
import { packDocuments } from './pack';
import { shuffledOrder } from './shuffle';

export interface BatchOptions {
  /** Rows of a micro-batch: documents, or packed rows of at most sequenceLength tokens. */
  batchSize: number;
  /** Micro-batches of an optimizer step. */
  gradientAccumulation: number;
  sequenceLength: number;
  packing: boolean;
  shuffle: boolean;
  seed: number;
}

/** The micro-batches of one optimizer step. */
export interface StepBatches {
  epoch: number;
  batches: NativeMicroBatch[];
}

interface Epoch {
  number: number;
  /** Steps before this epoch. */
  firstStep: number;
  steps: number;
  /** Documents of each row. */
  rows: number[][];
}

/**
 * The steps of a run. Every document is seen once an epoch; the last step of an epoch and its last micro-batch may
 * be smaller than the others. Packing depends on the epoch's order, so epochs may differ by a few steps.
 */
export class BatchPlan {
  private current: Epoch;

  constructor(
    private readonly dataset: TokenDataset,
    private readonly options: BatchOptions,
  ) {
    this.current = this.epoch(0, 0);
  }

  /** Optimizer steps in so many epochs; a part of an epoch is rounded up to a whole step, at least one. */
  stepsIn(epochs: number): number {
    let steps = 0;
    for (let number = 0; number < epochs; number++) {
      const share = Math.min(1, epochs - number);
      steps += Math.max(1, Math.ceil(share * this.epoch(number, steps).steps - 1e-9));
    }
    return steps;
  }

  /** The batches of a step, counted from 0 over all epochs. */
  at(step: number): StepBatches {
    if (step < this.current.firstStep) this.current = this.epoch(0, 0);
    while (step >= this.current.firstStep + this.current.steps) {
      this.current = this.epoch(this.current.number + 1, this.current.firstStep + this.current.steps);
    }
    const { batchSize, gradientAccumulation } = this.options;
    const begin = (step - this.current.firstStep) * batchSize * gradientAccumulation;
    const rows = this.current.rows.slice(begin, begin + batchSize * gradientAccumulation);
    const batches: NativeMicroBatch[] = [];
    for (let row = 0; row < rows.length; row += batchSize) {
      batches.push(microBatch(this.dataset, rows.slice(row, row + batchSize).flat()));
    }
    return { epoch: this.current.number, batches };
  }

  private epoch(number: number, firstStep: number): Epoch {
    const { batchSize, gradientAccumulation, shuffle, seed } = this.options;
    const order = shuffle
      ? shuffledOrder(this.dataset.rows, seed, number)
      : Int32Array.from({ length: this.dataset.rows }, (_, row) => row);
    const rows = this.rowsOf(order);
    return { number, firstStep, steps: Math.ceil(rows.length / (batchSize * gradientAccumulation)), rows };
  }

  private rowsOf(order: Int32Array): number[][] {
    return this.options.packing
      ? packDocuments(order, (document) => this.dataset.lengthOf(document), this.options.sequenceLength)
      : Array.from(order, (document) => [document]);
  }
}

/** The documents of these numbers one behind another. */
export function microBatch(dataset: TokenDataset, documents: readonly number[]): NativeMicroBatch {
  const rows = documents.map((document) => dataset.row(document));
  const documentOffsets = new Int32Array(rows.length + 1);
  rows.forEach(({ tokens }, index) => (documentOffsets[index + 1] = documentOffsets[index]! + tokens.length));
  const tokens = new Int32Array(documentOffsets[rows.length]!);
  const labels = new Int32Array(tokens.length).fill(NO_LOSS);
  rows.forEach((row, index) => {
    const begin = documentOffsets[index]!;
    tokens.set(row.tokens, begin);
    row.loss.forEach((counts, at) => {
      if (counts === 1) labels[begin + at] = row.tokens[at]!;
    });
  });
  return { tokens, labels, documentOffsets, samples: Int32Array.from(rows, ({ sample }) => sample) };
}

/** All rows in order, `batchSize` packed rows at a time, for evaluation. */
export function* evaluationBatches(
  dataset: TokenDataset,
  batchSize: number,
  sequenceLength: number,
): Generator<NativeMicroBatch> {
  const order = Int32Array.from({ length: dataset.rows }, (_, row) => row);
  const rows = packDocuments(order, (document) => dataset.lengthOf(document), sequenceLength);
  for (let row = 0; row < rows.length; row += batchSize) {
    yield microBatch(dataset, rows.slice(row, row + batchSize).flat());
  }
}
