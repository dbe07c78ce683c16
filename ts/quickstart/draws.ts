/** Random choices for one example: a function of (seed, example, number of the draw), as docs/method.md asks. */
import { bounded, philoxWords } from '../data/philox';

/** Stream of the generator for the quickstart's examples: counter (example, draw, 0). */
const EXAMPLE_STREAM = 8;

export class Draws {
  private drawn = 0;

  constructor(
    private readonly seed: number,
    private readonly example: number,
  ) {}

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** `count` different members of `list`, in the order drawn. */
  sample<T>(list: readonly T[], count: number): T[] {
    const left = [...list];
    return Array.from({ length: count }, () => left.splice(this.below(left.length), 1)[0]!);
  }

  private below(count: number): number {
    return bounded(philoxWords(this.seed, EXAMPLE_STREAM, this.example, this.drawn++, 0), count);
  }
}
