/** A tokenised data set: all rows in two growing arrays, because millions of small ones cost more than their content. */
import { createHash } from 'node:crypto';

/** The label of a token that does not count in the loss, as in transformers. */
export const NO_LOSS = -100;

/** One document: a view, valid as long as nothing is added to its data set. */
export interface TokenRow {
  /** Token ids, [length]. */
  tokens: Int32Array;
  /** 1 where the token counts in the loss, [length]. */
  loss: Uint8Array;
  /** The row's number in the data as it was read, skipped rows included: the counter of its noise. */
  sample: number;
}

export class TokenDataset {
  private tokens = new Int32Array(1024);
  private loss = new Uint8Array(1024);
  /** Row i is tokens[offsets[i] .. offsets[i + 1]). */
  private readonly offsets: number[] = [0];
  private readonly samples: number[] = [];

  get rows(): number {
    return this.samples.length;
  }

  /** Tokens of all rows together. */
  get tokenCount(): number {
    return this.offsets[this.rows]!;
  }

  lengthOf(row: number): number {
    return this.offsets[row + 1]! - this.offsets[row]!;
  }

  row(row: number): TokenRow {
    const [begin, end] = [this.offsets[row]!, this.offsets[row + 1]!];
    return {
      tokens: this.tokens.subarray(begin, end),
      loss: this.loss.subarray(begin, end),
      sample: this.samples[row]!,
    };
  }

  add({ tokens, loss, sample }: TokenRow): void {
    const begin = this.tokenCount;
    const end = begin + tokens.length;
    if (end > this.tokens.length) this.grow(Math.max(end, 2 * this.tokens.length));
    this.tokens.set(tokens, begin);
    this.loss.set(loss, begin);
    this.offsets.push(end);
    this.samples.push(sample);
  }

  /** The rows of these numbers as a data set of their own, in the order given. */
  select(rows: Iterable<number>): TokenDataset {
    const selected = new TokenDataset();
    for (const row of rows) selected.add(this.row(row));
    return selected;
  }

  /** SHA-256 over all rows: tokens, masks, borders and sample numbers. */
  hash(): string {
    const bytes = (array: Int32Array | Uint8Array): Uint8Array =>
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    return createHash('sha256')
      .update(bytes(this.tokens.subarray(0, this.tokenCount)))
      .update(this.loss.subarray(0, this.tokenCount))
      .update(bytes(Int32Array.from(this.offsets, (offset, row) => offset - (this.offsets[row - 1] ?? 0))))
      .update(bytes(Int32Array.from(this.samples)))
      .digest('hex');
  }

  private grow(capacity: number): void {
    const tokens = new Int32Array(capacity);
    tokens.set(this.tokens);
    this.tokens = tokens;
    const loss = new Uint8Array(capacity);
    loss.set(this.loss);
    this.loss = loss;
  }
}
