import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeShared, loadTesting, sharedFolder } from '../support/testing';

const native = loadTesting();
const paths = (args: Record<string, unknown>) => native.draftPaths!(args) as number[][];
const tree = (list: number[][], args: Record<string, unknown> = {}) =>
  native.draftTree!({ paths: list, depth: 5, width: 10, ...args }) as {
    parents: number[];
    depths: number[];
    columns: number[];
    deepestBelow: number[];
    height: number;
  };

/** '01K' as in reference/tr-jacobi, '' is the root. */
const text = (path: number[], width = 10) => path.map((column) => (column === width ? 'K' : column)).join('');

describeShared('named trees of the reference', () => {
  test.each(['paper', '6', '7', '16', '32', '64', '69'])('%s', (name) => {
    const file = join(sharedFolder, 'reference/tr-jacobi/trees.json');
    const trees = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string[]>;
    const found = name === 'paper' ? paths({ kind: 'paper' }) : paths({ kind: 'nodes', nodes: Number(name) });
    expect(['', ...found.map((path) => text(path))]).toEqual(trees[name]);
  });
});

describe('named trees', () => {
  test('below six nodes there is only the chain', () => {
    expect(paths({ kind: 'nodes', nodes: 1 })).toEqual([]);
    expect(paths({ kind: 'nodes', nodes: 3 })).toEqual([[10], [10, 10]]);
  });
  test('another depth changes the chain and drops deeper paths', () => {
    const shallow = paths({ kind: 'paper', depth: 2 });
    expect(shallow.slice(0, 3)).toEqual([[10], [10, 10], [0]]);
    expect(Math.max(...shallow.map((path) => path.length))).toBe(2);
    expect(paths({ kind: 'paper', depth: 7 }).filter((path) => path.length > 4)).toHaveLength(3);
    expect(() => tree(shallow, { depth: 2 })).not.toThrow();
  });
  test('a narrower table keeps the paths over its columns, and its retrieved column', () => {
    const narrow = paths({ kind: 'paper', width: 3 });
    expect(narrow[4]).toEqual([3, 3, 3, 3, 3]);
    expect(Math.max(...narrow.slice(5).flat())).toBe(2);
    expect(() => tree(narrow, { width: 3 })).not.toThrow();
  });
  test('plain Jacobi is a chain in the first column', () => {
    expect(paths({ kind: 'chain', depth: 3 })).toEqual([[0], [0, 0], [0, 0, 0]]);
  });
});

describe('DraftTree', () => {
  const list = [[1], [0], [1, 2], [0, 10], [0, 3], [0, 3, 4]];
  test('numbers nodes in tree order behind the root', () => {
    expect(tree(list)).toEqual({
      parents: [-1, 0, 0, 1, 2, 2, 5],
      depths: [0, 1, 1, 2, 2, 2, 3],
      columns: [-1, 1, 0, 2, 10, 3, 4],
      deepestBelow: [6, 3, 6, 3, 4, 6, 6],
      height: 3,
    });
  });
  test('the first in tree order wins among equally deep nodes', () => {
    expect(tree([[1], [0], [0, 0], [1, 1]]).deepestBelow).toEqual([3, 4, 3, 3, 4]);
  });
  test('pruning leaves the nodes down to a depth', () => {
    expect(tree(list, { pruned: 2 })).toMatchObject({
      parents: [-1, 0, 0, 1, 2, 2],
      deepestBelow: [3, 3, 4, 3, 4, 5],
    });
    expect(tree(list, { pruned: 0 })).toMatchObject({ parents: [-1], deepestBelow: [0], height: 0 });
  });
  test.each<[string, number[][], Record<string, unknown>, string]>([
    ['a hole', [[0], [1, 2]], {}, 'decoding.tree.paths[1]: expected the parent path [1] before [1, 2]'],
    [
      'a child before its parent',
      [[1, 2], [1]],
      {},
      'decoding.tree.paths[0]: expected the parent path [1] before [1, 2]',
    ],
    ['a path twice', [[0], [0]], {}, 'decoding.tree.paths[1]: expected every path once, received [0] again'],
    ['the root', [[]], {}, 'decoding.tree.paths[0]: expected 1 to 5 columns (decoding.depth), received 0'],
    [
      'a path that is too deep',
      [[0], [0, 0]],
      { depth: 1 },
      'decoding.tree.paths[1]: expected 1 to 1 columns (decoding.depth), received 2',
    ],
    [
      'a column outside the table',
      [[11]],
      {},
      'decoding.tree.paths[0]: expected columns from 0 to 10 (decoding.topK), received [11]',
    ],
    [
      'a negative column',
      [[-1]],
      {},
      'decoding.tree.paths[0]: expected columns from 0 to 10 (decoding.topK), received [-1]',
    ],
    ['no depth', [], { depth: 0 }, 'decoding.depth: expected an integer from 1 to 32, received 0'],
    [
      'a table that is too wide',
      [],
      { width: 65 },
      'decoding.topK: expected an integer from 1 to 64, received 65',
    ],
  ])('refuses %s', (_, refused, args, message) => {
    expect(() => tree(refused, args)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message }),
    );
  });
  test('refuses more nodes than a pass can hold', () => {
    const many = Array.from({ length: 65 }, (_, a) => [
      [a],
      ...Array.from({ length: 65 }, (_, b) => [a, b]),
    ]).flat();
    expect(() => tree(many, { width: 64 })).toThrow(
      'decoding.tree.paths: expected at most 1023 paths, received 4290',
    );
  });
});
