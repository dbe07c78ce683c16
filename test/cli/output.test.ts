import { bytes, count, duration, listing, table } from '../../ts/cli/output';

test.each([
  [0, '0 s'],
  [59_400, '59 s'],
  [60_000, '1:00'],
  [3_723_000, '1:02:03'],
])('%d ms', (milliseconds, shown) => {
  expect(duration(milliseconds)).toBe(shown);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [269_100_000, '269.1 MB'],
  [4e15, '4000.0 TB'],
])('%d bytes', (value, shown) => {
  expect(bytes(value)).toBe(shown);
});

test('counts have thousands', () => {
  expect(count(1234567)).toBe('1,234,567');
});

test('figures are set to the right, words to the left', () => {
  expect(
    table(
      ['name', 'value'],
      [
        ['a', '1'],
        ['long name', '1,000'],
      ],
    ),
  ).toBe(['name        value', '─────────   ─────', 'a               1', 'long name   1,000'].join('\n'));
});

test('values of a listing begin in one column', () => {
  expect(
    listing([
      ['a', '1'],
      ['long', '2'],
    ]),
  ).toBe('a     1\nlong  2');
});
