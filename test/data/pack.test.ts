import fc from 'fast-check';
import { packDocuments } from '../../ts/data/pack';

const sequenceLength = 32;
const lengths = fc.array(fc.integer({ min: 1, max: sequenceLength }), { maxLength: 400 });
const pack = (sizes: number[]): number[][] =>
  packDocuments(Int32Array.from(sizes.keys()), (document) => sizes[document]!, sequenceLength);

test('every document once, no row too long, documents of a row in order, rows by their first document', () => {
  fc.assert(
    fc.property(lengths, (sizes) => {
      const rows = pack(sizes);
      expect(rows.flat().sort((a, b) => a - b)).toEqual([...sizes.keys()]);
      for (const row of rows) {
        expect(row.reduce((sum, document) => sum + sizes[document]!, 0)).toBeLessThanOrEqual(sequenceLength);
        expect(row).toEqual([...row].sort((a, b) => a - b));
      }
      const firsts = rows.map((row) => row[0]!);
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    }),
  );
});

test('no two neighbouring rows would fit into one while few are open', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: sequenceLength }), { maxLength: 60 }), (sizes) => {
      const used = pack(sizes).map((row) => row.reduce((sum, document) => sum + sizes[document]!, 0));
      for (let row = 1; row < used.length; row++) {
        const before = Math.min(...used.slice(0, row));
        expect(before + used[row]!).toBeGreaterThan(sequenceLength);
      }
    }),
  );
});

test('takes the fullest row with room, the earlier one on a tie, in the order given', () => {
  const sizes = [20, 24, 24, 8, 8, 12];
  expect(packDocuments(Int32Array.of(0, 1, 2, 3, 4, 5), (document) => sizes[document]!, 32)).toEqual([
    [0, 5],
    [1, 3],
    [2, 4],
  ]);
  expect(packDocuments(Int32Array.of(5, 4, 3, 2, 1, 0), (document) => sizes[document]!, 32)).toEqual([
    [5, 4, 3],
    [2],
    [1],
    [0],
  ]);
});

test('closes the fullest row when 64 are open, so that documents stay near their place', () => {
  // 65 rows of 30 and 29: the one of 30 is closed to make room, and takes no document any more.
  const sizes = [30, ...Array.from({ length: 64 }, () => 29), 2, 3];
  const rows = pack(sizes);
  expect(rows).toHaveLength(65);
  expect(rows[0]).toEqual([0]);
  expect(rows[1]).toEqual([1, 65]);
  expect(rows[2]).toEqual([2, 66]);
});

test('wastes little on ordinary lengths', () => {
  const sizes = Array.from({ length: 5000 }, (_, index) => 1 + ((index * 7919) % 400));
  const rows = packDocuments(Int32Array.from(sizes.keys()), (document) => sizes[document]!, 1024);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(total / (rows.length * 1024)).toBeGreaterThan(0.97);
});
