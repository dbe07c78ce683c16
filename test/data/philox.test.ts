import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bounded, philox4x32, philoxWords, type PhiloxWords } from '../../ts/data/philox';
import { describeShared, sharedFolder } from '../support/testing';

test('gives the known answers of Random123', () => {
  expect(philox4x32([0, 0, 0, 0], [0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  const ones = 0xffffffff;
  expect(philox4x32([ones, ones, ones, ones], [ones, ones])).toEqual([
    0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
  ]);
  expect(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
  ]);
});

test('bounded covers its range and nothing else', () => {
  expect(bounded([0, 0, 0, 0], 7)).toBe(0);
  expect(bounded([0xffffffff, 0, 0, 0], 7)).toBe(6);
  expect(bounded([0xffffffff, 0, 0, 0], 0x100000000)).toBe(0xffffffff);
});

describeShared('the reference vectors', () => {
  interface Reference {
    words: Array<{ counter: string[]; key: string[]; output: string[] }>;
    draws: Array<Record<string, number> & { bounded?: Array<[number, number]> }>;
  }
  const reference = JSON.parse(
    readFileSync(join(sharedFolder, 'reference', 'tr-jacobi', 'philox.json'), 'utf8'),
  ) as Reference;
  const words = (hexadecimal: string[]): number[] => hexadecimal.map((word) => parseInt(word, 16));

  test('words', () => {
    for (const { counter, key, output } of reference.words) {
      expect(philox4x32(words(counter) as PhiloxWords, words(key) as [number, number])).toEqual(
        words(output),
      );
    }
  });

  test('draws', () => {
    expect(reference.draws.length).toBeGreaterThan(0);
    for (const draw of reference.draws) {
      const drawn = philoxWords(draw.seed!, draw.stream!, draw.c0!, draw.c1!, draw.c2!);
      expect(bounded(drawn, draw.n!)).toBe(draw.bounded);
    }
  });
});
