import { decodingSchema, nativeDecoding } from '../../../ts/generate/decoding';
import { loadNative } from '../../../ts/native/load';
import { validate } from '../../../ts/validate';
import { errorOf } from '../../support/folders';

const resolve = (decoding: object, device = 'cpu') =>
  nativeDecoding(loadNative(), validate(decodingSchema, decoding), device);
const pathsOf = ({ pathOffsets, pathColumns }: ReturnType<typeof resolve>): number[][] =>
  Array.from({ length: pathOffsets.length - 1 }, (_, index) =>
    Array.from(pathColumns.subarray(pathOffsets[index], pathOffsets[index + 1])),
  );

test('the default is TR-Jacobi with a small tree', () => {
  const decoding = resolve({});
  expect(decoding).toMatchObject({ depth: 5, width: 10, retrieval: true, minMatch: 2, noiseSeed: 0 });
  expect(pathsOf(decoding)).toEqual([[10], [10, 10], [0]]);
  expect(pathsOf(resolve({ topK: 3, depth: 1 }))).toEqual([[3], [0]]);
  expect(pathsOf(resolve({ retrieval: false }))).toEqual([[0], [0, 0]]);
});

test("on CUDA the tree is the first 64 positions of the paper's", () => {
  expect(pathsOf(resolve({}, 'cuda:1'))).toEqual(pathsOf(resolve({ tree: { nodes: 64 } })));
  expect(pathsOf(resolve({}, 'cuda:1'))).toHaveLength(63);
  expect(pathsOf(resolve({ tree: { nodes: 3 } }, 'cuda:0'))).toHaveLength(2);
});

test('the paper tree has 69 positions, the chain first', () => {
  const paths = pathsOf(resolve({ tree: 'paper' }));
  expect(paths).toHaveLength(68);
  expect(paths[4]).toEqual([10, 10, 10, 10, 10]);
  expect(paths.at(-1)).toEqual([0, 7, 0]);
});

test('so many nodes, the root included', () => {
  expect(pathsOf(resolve({ tree: { nodes: 1 } }))).toEqual([]);
  expect(pathsOf(resolve({ tree: { nodes: 3 } }))).toEqual([[10], [10, 10]]);
  expect(pathsOf(resolve({ tree: { nodes: 7 }, topK: 4 })).slice(4)).toEqual([[4, 4, 4, 4, 4], [0]]);
  expect(pathsOf(resolve({ tree: 'paper', depth: 2 })).every((path) => path.length <= 2)).toBe(true);
});

test('paths of your own, columns named by number', () => {
  const paths = [[0], [0, 2], [3], [3, 3]];
  const decoding = resolve({ tree: { paths }, topK: 3, depth: 2, retrieval: { minMatch: 4 }, noiseSeed: 9 });
  expect(pathsOf(decoding)).toEqual(paths);
  expect(decoding).toMatchObject({ width: 3, depth: 2, retrieval: true, minMatch: 4, noiseSeed: 9 });
  expect(resolve({ retrieval: false }).retrieval).toBe(false);
});

test('jacobi is one chain in one column, autoregressive nothing at all', () => {
  const jacobi = resolve({ method: 'jacobi', depth: 3 });
  expect(pathsOf(jacobi)).toEqual([[0], [0, 0], [0, 0, 0]]);
  expect(jacobi).toMatchObject({ width: 1, retrieval: false });
  expect(pathsOf(resolve({ method: 'autoregressive' }))).toEqual([]);
});

test.each<[object, string]>([
  [
    { method: 'lookahead' },
    "method: expected 'autoregressive' or 'jacobi' or 'tr-jacobi', received \"lookahead\"",
  ],
  [{ tree: 'big' }, "tree: expected 'auto', 'paper', { nodes } or { paths }, received \"big\""],
  [{ tree: { nodes: 0 } }, 'tree.nodes: expected an integer from 1 to 512, received 0'],
  [{ tree: { node: 3 } }, 'tree: unknown option "node" (did you mean "nodes"?)'],
  [{ tree: { paths: [[0], []] } }, 'tree.paths[1]: expected at least one column, received an array of 0'],
  [{ tree: { paths: [[0], [0, -1]] } }, 'tree.paths[1][1]: expected an integer from 0 to 64, received -1'],
  [{ topK: 0 }, 'topK: expected an integer from 1 to 64, received 0'],
  [{ depth: 33 }, 'depth: expected an integer from 1 to 32, received 33'],
  [{ retrieval: { minMatch: 17 } }, 'retrieval.minMatch: expected an integer from 1 to 16, received 17'],
  [{ noiseSeed: 0.5 }, 'noiseSeed: expected an integer from 0 to 2^53 - 1, received 0.5'],
])('refused: %j', async (decoding, message) => {
  expect((await errorOf(() => resolve(decoding))).message).toBe(message);
});
