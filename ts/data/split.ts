/** Sets a part of the data aside for evaluation. */
import { MakeSomeNoiseError } from '../errors';
import type { TokenDataset } from './dataset';
import { shuffledOrder } from './shuffle';

/** The counter word in place of an epoch's number, which no epoch reaches. */
const SPLIT_EPOCH = 0xffffffff;

/**
 * `fraction` of the rows, at least one, drawn with the seed; both parts keep the order of the data. Rows keep their
 * sample numbers, so the noise of a row does not depend on the split.
 */
export function splitDataset(
  dataset: TokenDataset,
  fraction: number,
  seed: number,
): { training: TokenDataset; evaluation: TokenDataset } {
  const held = Math.max(1, Math.round(fraction * dataset.rows));
  if (held >= dataset.rows) {
    throw new MakeSomeNoiseError(
      'ERR_DATA',
      `evalFraction: ${fraction} of ${dataset.rows} rows leaves none to train on; name an evalData file or add rows`,
    );
  }
  const order = shuffledOrder(dataset.rows, seed, SPLIT_EPOCH);
  return {
    training: dataset.select(order.slice(held).sort()),
    evaluation: dataset.select(order.slice(0, held).sort()),
  };
}
