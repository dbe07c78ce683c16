import fc from 'fast-check';
import { bounded, philoxWords } from '../../ts/data/philox';
import { shuffledOrder } from '../../ts/data/shuffle';

test('is a permutation for every count, seed and epoch', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.maxSafeNat(), fc.nat(1000), (count, seed, epoch) => {
      const order = shuffledOrder(count, seed, epoch);
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
    }),
  );
});

test('swaps from the end with draws of stream 6', () => {
  const expected = [0, 1, 2, 3, 4, 5];
  for (let index = 5; index >= 1; index--) {
    const partner = bounded(philoxWords(42, 6, index, 3, 0), index + 1);
    [expected[index], expected[partner]] = [expected[partner]!, expected[index]!];
  }
  expect([...shuffledOrder(6, 42, 3)]).toEqual(expected);
});

test('keeps the order it has always had', () => {
  expect([...shuffledOrder(10, 0, 0)]).toMatchInlineSnapshot(`
   [
     3,
     7,
     2,
     4,
     5,
     1,
     9,
     0,
     6,
     8,
   ]
  `);
  expect([...shuffledOrder(10, 2 ** 53 - 1, 7)]).toMatchInlineSnapshot(`
   [
     8,
     5,
     9,
     4,
     7,
     2,
     6,
     1,
     3,
     0,
   ]
  `);
});
