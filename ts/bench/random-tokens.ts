/** Token ids to measure with where no text is asked for: the same for the same seed, on every machine. */

/** `count` ids below `vocabularySize`, by the mulberry32 generator. */
export function randomTokens(count: number, vocabularySize: number, seed: number): Int32Array {
  let state = seed >>> 0;
  return Int32Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * vocabularySize);
  });
}
