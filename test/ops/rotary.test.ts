import { expectClose, onEveryEngine } from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { rotaryTable } = loadTesting();

describe('the rotary table', () => {
  test('holds cosines, then sines, correctly rounded from double at far positions too', () => {
    const positions = [0, 1, 17, 4095, 131071, 2_000_000];
    const half = 37;
    const frequencies = Float64Array.from({ length: half }, (_, i) => 10000 ** (-i / half));
    const expected = positions.flatMap((position) => [
      ...Array.from(frequencies, (f) => Math.cos(position * f)),
      ...Array.from(frequencies, (f) => Math.sin(position * f)),
    ]);
    onEveryEngine((engine) => {
      const table = f32(new Float32Array(positions.length * 2 * half), positions.length, 2 * half);
      rotaryTable!({
        ...engine,
        positions: i32(positions),
        inverseFrequencies: { data: frequencies, shape: [half] },
        table,
      });
      expectClose(table.data, expected, 6e-8);
    });
  });

  test('refuses shapes that do not fit', () => {
    const attempt = (table: object) => () =>
      rotaryTable!({
        positions: i32([0]),
        inverseFrequencies: { data: Float64Array.of(1), shape: [1] },
        table,
      });
    expect(attempt(f32([0, 0], 1, 2))).not.toThrow();
    expect(attempt(f32([0], 1, 1))).toThrow('rotary.table: expected F32 [1, 2], received F32 [1, 1]');
  });
});
