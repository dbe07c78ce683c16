/** What the tests of single operations share: engines, seeded numbers, float64 comparison and comparison of bits. */
import { instructionSets } from './testing';

export interface Engine {
  instructions: string;
  threads: number;
}

/** Every instruction set of this machine with one thread and with three. */
export function engines(): Engine[] {
  return instructionSets().flatMap((instructions) => [1, 3].map((threads) => ({ instructions, threads })));
}

/** Runs a test body on every engine; a failure names the engine. */
export function onEveryEngine(body: (engine: Engine) => void): void {
  for (const engine of engines()) {
    try {
      body(engine);
    } catch (error) {
      if (error instanceof Error)
        error.message = `${engine.instructions}, ${engine.threads} threads: ${error.message}`;
      throw error;
    }
  }
}

/** Uniform numbers in [-1, 1) from a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomArray(next: () => number, length: number): Float32Array {
  return Float32Array.from({ length }, next);
}

/** The nearest bf16, as its bits, ties to even. */
export function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
}

/** Each value is within `tolerance` of the expected one, relative to the larger of 1 and its size. */
export function expectClose(
  received: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  expect(received.length).toBe(expected.length);
  for (let i = 0; i < expected.length; ++i) {
    const distance = Math.abs(received[i]! - expected[i]!);
    if (!(distance <= tolerance * Math.max(1, Math.abs(expected[i]!))))
      throw new Error(`element ${i}: expected ${expected[i]}, received ${received[i]}`);
  }
}

/** The same bits, so that 0 and -0 differ and NaN equals itself. */
export function expectSameBits(received: Float32Array, expected: Float32Array): void {
  const bits = (array: Float32Array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
  const [a, b] = [bits(received), bits(expected)];
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; ++i)
    if (a[i] !== b[i])
      throw new Error(`element ${i}: expected ${expected[i]}, received ${received[i]}, other bits`);
}
