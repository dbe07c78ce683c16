/** The order of an epoch: a function of (count, seed, epoch) alone, so that a resumed run draws the same. */
import { bounded, philoxWords, SHUFFLE_STREAM } from './philox';

/** Fisher-Yates from the end over 0 .. count - 1, drawing index i's partner from stream 6 at (i, epoch, 0). */
export function shuffledOrder(count: number, seed: number, epoch: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index--) {
    const partner = bounded(philoxWords(seed, SHUFFLE_STREAM, index, epoch, 0), index + 1);
    const moved = order[index]!;
    order[index] = order[partner]!;
    order[partner] = moved;
  }
  return order;
}
