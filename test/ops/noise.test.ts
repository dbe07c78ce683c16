import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { onEveryEngine, randomNumbers } from '../support/operations';
import { describeShared, i32, loadTesting, sharedFolder, type TestTensor } from '../support/testing';

const { noise } = loadTesting();

interface Options {
  seed: number;
  epoch: number;
  kind: 'ahead' | 'uniform';
  length: number;
  segments: number;
  vocabulary: number;
}
interface Sample {
  sample: number;
  tokens: number[];
  lossMask: number[];
}

const u8 = (values: number[]): TestTensor => ({ data: Uint8Array.from(values), shape: [values.length] });

function apply(engine: object, options: Options, samples: Sample[]) {
  const tokens = samples.flatMap((sample) => sample.tokens);
  const offsets = [0];
  for (const sample of samples) offsets.push(offsets[offsets.length - 1]! + sample.tokens.length);
  const noised = i32(tokens.map(() => -1));
  const segmentOffset = i32(tokens.map(() => -1));
  noise!({
    ...{
      ...engine,
      ...options,
      tokens: i32(tokens),
      lossMask: u8(samples.flatMap((sample) => sample.lossMask)),
    },
    ...{
      documentOffsets: i32(offsets),
      samples: i32(samples.map(({ sample }) => sample)),
      noised,
      segmentOffset,
    },
  });
  return samples.map((_, index) => ({
    noised: [...noised.data.subarray(offsets[index], offsets[index + 1])],
    segmentOffset: [...segmentOffset.data.subarray(offsets[index], offsets[index + 1])],
  }));
}

const options: Options = { seed: 7, epoch: 2, kind: 'ahead', length: 5, segments: 1, vocabulary: 50 };

function drawnSample(seed: number, prompt: number, response: number): Sample {
  const next = randomNumbers(seed);
  return {
    sample: seed,
    tokens: Array.from({ length: prompt + response }, () => Math.floor((next() + 1) * 25)),
    lossMask: Array.from({ length: prompt + response }, (_, i) => (i < prompt ? 0 : 1)),
  };
}

describe('noise', () => {
  test('one segment of each response: placed inside it, never on its last token', () => {
    for (let seed = 0; seed < 200; ++seed) {
      const [prompt, response] = [seed % 7, 2 + (seed % 11)];
      const sample = drawnSample(seed, prompt, response);
      const [result] = apply({}, options, [sample]);
      const inside = result!.segmentOffset.flatMap((offset, i) => (offset > 0 ? [i] : []));
      const first = Math.max(prompt, 1);
      expect(inside.length).toBe(Math.min(5, prompt + response - first - 1));
      expect(inside.map((i) => result!.segmentOffset[i])).toEqual(inside.map((_, i) => i + 1));
      for (const i of inside) {
        expect(i).toBeGreaterThanOrEqual(first);
        expect(i).toBeLessThan(prompt + response - 1);
        expect(result!.noised.slice(0, i)).toContain(result!.noised[i]);
      }
      result!.noised.forEach((token, i) => {
        if (result!.segmentOffset[i] === 0) expect(token).toBe(sample.tokens[i]);
      });
    }
  });

  test('a response of one token stays as it is; each response of a sample has its own number', () => {
    const sample: Sample = {
      sample: 3,
      tokens: [1, 2, 3, 4, 5, 6, 7, 8],
      lossMask: [0, 0, 1, 0, 1, 1, 1, 0],
    };
    const [result] = apply({}, options, [sample]);
    expect(result!.noised[2]).toBe(3);
    expect(result!.segmentOffset).toEqual([0, 0, 0, 0, 1, 2, 0, 0]);
  });

  test('a sample is noised alike alone, packed, and on every engine; another epoch differs', () => {
    const samples = Array.from({ length: 9 }, (_, i) => drawnSample(i, 3 + i, 20));
    const alone = samples.map((sample) => apply({}, options, [sample])[0]!);
    onEveryEngine((engine) => expect(apply(engine, options, samples)).toEqual(alone));
    expect(apply({}, { ...options, epoch: 3 }, samples)).not.toEqual(alone);
  });

  test('uniform noise comes from the vocabulary', () => {
    const sample = drawnSample(1, 4, 60);
    const drawn = Array.from({ length: 40 }, (_, epoch) => {
      const [result] = apply({}, { ...options, epoch, kind: 'uniform', segments: 4 }, [sample]);
      return result!.noised.filter((_, i) => result!.segmentOffset[i]! > 0);
    }).flat();
    expect(drawn.length).toBe(40 * 4 * 5);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(50);
    expect(new Set(drawn).size).toBeGreaterThan(40);
  });

  test('refuses what makes no sense', () => {
    const attempt = (change: object) => () => apply({}, { ...options, ...change }, [drawnSample(1, 2, 5)]);
    expect(attempt({})).not.toThrow();
    expect(attempt({ length: 0 })).toThrow('length');
    expect(attempt({ segments: 0 })).toThrow('segments');
    expect(attempt({ kind: 'uniform', vocabulary: 0 })).toThrow('vocabulary');
  });
});

describeShared('noise of ../shared/reference/tr-jacobi', () => {
  interface Golden extends Options, Sample {
    vocabularySize: number;
    noised: number[];
    placed: Array<[number, number]>;
  }

  test('every case', () => {
    const file = join(sharedFolder, 'reference', 'tr-jacobi', 'noise.json');
    const cases = JSON.parse(readFileSync(file, 'utf8')) as Golden[];
    expect(cases.length).toBeGreaterThanOrEqual(60);
    for (const golden of cases) {
      const segmentOffset = golden.tokens.map(() => 0);
      for (const [start, end] of golden.placed)
        for (let i = start; i < end; ++i) segmentOffset[i] = i - start + 1;
      const [result] = apply({}, { ...golden, vocabulary: golden.vocabularySize }, [golden]);
      expect(result).toEqual({ noised: golden.noised, segmentOffset });
    }
  });
});
