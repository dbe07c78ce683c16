import { figure, markdownTable } from '../../ts/bench/table';

describe('markdownTable', () => {
  it('pads the cells of a column to one width', () => {
    expect(markdownTable(['a', 'long title'], [['12345', 'x']])).toEqual([
      '| a     | long title |',
      '| ----- | ---------- |',
      '| 12345 | x          |',
    ]);
  });
});

describe('figure', () => {
  it.each([
    [0, '0'],
    [0.012345, '0.0123'],
    [1.2345, '1.23'],
    [12.345, '12.3'],
    [123.45, '123'],
    [12345.6, '12346'],
    [-1.2345, '-1.23'],
  ])('shows %d as %s', (value, text) => {
    expect(figure(value)).toBe(text);
  });
});
