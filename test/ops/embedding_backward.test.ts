import { expectSameBits, onEveryEngine, randomArray, randomNumbers } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { embeddingBackward } = loadTesting();

describe('embedding, backward', () => {
  test.each([
    [1, 1, 1],
    [40, 7, 65],
    [300, 20, 130],
  ])('adds %i rows to a table of %i x %i in order', (rows, vocabulary, hidden) => {
    const next = randomNumbers(rows);
    const tokens = Array.from({ length: rows }, () => Math.floor(((next() + 1) / 2) * vocabulary));
    const gradient = randomArray(next, rows * hidden);
    const start = randomArray(next, vocabulary * hidden);
    const expected = start.slice();
    tokens.forEach((token, row) => {
      for (let i = 0; i < hidden; ++i) expected[token * hidden + i]! += gradient[row * hidden + i]!;
    });
    onEveryEngine((engine) => {
      const tableGradient = f32(start, vocabulary, hidden);
      embeddingBackward!({
        ...{ ...engine, tokens: i32(tokens), outputGradient: f32(gradient, rows, hidden), tableGradient },
      });
      expectSameBits(tableGradient.data as Float32Array, expected);
    });
  });

  test('refuses tokens outside the table and shapes that do not fit', () => {
    const attempt = (change: object) => () =>
      embeddingBackward!({
        ...{
          tokens: i32([0]),
          outputGradient: f32([1, 2], 1, 2),
          tableGradient: f32([0, 0], 1, 2),
          ...change,
        },
      });
    expect(attempt({})).not.toThrow();
    expect(attempt({ tokens: i32([1]) })).toThrow('embedding_backward.tokens');
    expect(attempt({ outputGradient: f32([1], 1, 1) })).toThrow('embedding_backward.output_gradient');
  });
});
