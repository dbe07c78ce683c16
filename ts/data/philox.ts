/**
 * Philox4x32-10 (Salmon et al., 2011), the counter-based random numbers of docs/method.md, for the choices that
 * are made in TypeScript: the order of an epoch and the split of the data.
 */

/** Stream of the generator that shuffles the rows of an epoch: counter (index, epoch, 0). */
export const SHUFFLE_STREAM = 6;

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

/** High 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const carried = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000)) >>> 0;
}

/** The four output words x0..x3, each an unsigned 32-bit integer. */
export type PhiloxWords = [number, number, number, number];

/** Ten rounds over a counter of four and a key of two unsigned 32-bit words. */
export function philox4x32(counter: Readonly<PhiloxWords>, key: readonly [number, number]): PhiloxWords {
  let [x0, x1, x2, x3] = counter;
  let [key0, key1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, x0);
    const low0 = Math.imul(MULTIPLIER_0, x0);
    const high1 = multiplyHigh(MULTIPLIER_1, x2);
    const low1 = Math.imul(MULTIPLIER_1, x2);
    x0 = (high1 ^ x1 ^ key0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ key1) >>> 0;
    x3 = low0 >>> 0;
    key0 = (key0 + WEYL_0) >>> 0;
    key1 = (key1 + WEYL_1) >>> 0;
  }
  return [x0, x1, x2, x3];
}

/** The words at (c0, c1, c2) of a stream; `seed` is an integer from 0 to 2^53 - 1. */
export function philoxWords(seed: number, stream: number, c0: number, c1: number, c2: number): PhiloxWords {
  return philox4x32([c0 >>> 0, c1 >>> 0, c2 >>> 0, stream], [seed >>> 0, Math.floor(seed / 0x100000000)]);
}

/** floor(x0 * n / 2^32), an integer in [0, n), for n from 1 to 2^32. */
export function bounded(words: Readonly<PhiloxWords>, n: number): number {
  const high = Math.floor(n / 0x100000000);
  return high * words[0] + multiplyHigh(words[0], n >>> 0);
}
