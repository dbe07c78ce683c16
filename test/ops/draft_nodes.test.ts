import fc from 'fast-check';

import { bounded, philoxWords } from '../../ts/data/philox';
import { drawnPaths } from '../support/arbitraries';
import { onEveryEngine, randomNumbers } from '../support/operations';
import { i32, loadTesting } from '../support/testing';

const { draftNodes, draftTree } = loadTesting();

const draftCellStream = 3;
const model = 0;
const noise = 1;
const retrieval = 2;

interface Drafts {
  known: number[];
  knownRows: number;
  guesses: number[][];
  /** Without it there is no retrieval at all; a length of 0 found nothing. */
  match?: [number, number];
  continuation: number[];
  depths: number[];
  columns: number[];
  width: number;
  seed: number;
}

function run(engine: object, drafts: Drafts) {
  const { known, knownRows, guesses, match, continuation, depths, columns, width, seed } = drafts;
  const [tokens, positions, sources] = [0, 1, 2].map(() => i32(depths.map(() => -1)));
  draftNodes!({
    // Behind the known tokens the buffer has room.
    ...{ ...engine, known: i32([...known, -1, -1]), knownCount: i32([known.length]) },
    ...{ guesses: i32(guesses.flat(), guesses.length, guesses[0]!.length), knownRows: i32([knownRows]) },
    ...(match ? { match: i32(match), continuation: i32(continuation) } : {}),
    ...{ depths: i32(depths), columns: i32(columns), width, seed, tokens, positions, sources },
  });
  return depths.map((_, node) => ({
    token: tokens!.data[node],
    position: positions!.data[node],
    source: sources!.data[node],
  }));
}

/** docs/method.md, point 2. */
function reference(drafts: Drafts) {
  const { known, knownRows, guesses, match, continuation, depths, columns, width, seed } = drafts;
  const n = known.length;
  return depths.map((depth, node) => {
    const position = n - 1 + depth;
    const [row, column] = [depth - 1, columns[node]!];
    if (depth === 0) return { token: known[n - 1], position, source: model };
    if (column === width && match && match[0] > 0)
      return { token: continuation[row], position, source: retrieval };
    if (row < knownRows && column < guesses[row]!.length)
      return { token: guesses[row]![column], position, source: model };
    const token = known[bounded(philoxWords(seed, draftCellStream, n, row, column), n)];
    return { token, position, source: noise };
  });
}

const drawnDrafts = fc
  .record({
    depth: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 10 }),
    vocabulary: fc.constantFrom(3, 50),
  })
  .chain(({ depth, width, vocabulary }) =>
    fc
      .record({
        paths: drawnPaths(depth, width, 40),
        known: fc.array(fc.nat(vocabulary - 1), { minLength: 1, maxLength: 30 }),
        knownRows: fc.nat(depth),
        match: fc.constantFrom<[number, number] | undefined>(undefined, [0, 0], [3, 9]),
        seed: fc.maxSafeNat(),
      })
      .map(({ paths, ...drawn }): Drafts => {
        const tree = draftTree!({ paths, depth, width }) as Pick<Drafts, 'depths' | 'columns'>;
        const next = randomNumbers(drawn.seed % 1000);
        const token = () => Math.floor(((next() + 1) / 2) * vocabulary);
        const guesses = Array.from({ length: depth }, () =>
          Array.from({ length: Math.min(width, vocabulary) }, token),
        );
        const continuation = guesses.map(token);
        return { ...drawn, guesses, continuation, width, depths: tree.depths, columns: tree.columns };
      }),
  );

test('takes guesses, the retrieved continuation and noise where docs/method.md says', () => {
  fc.assert(
    fc.property(drawnDrafts, (drafts) => {
      const expected = reference(drafts);
      onEveryEngine((engine) => expect(run(engine, drafts)).toEqual(expected));
    }),
    { numRuns: 100 },
  );
});

test('the drafts drawn come from every source', () => {
  const sample = fc.sample(drawnDrafts, { numRuns: 100, seed: 1 });
  const sources = sample.flatMap((drafts) => reference(drafts).slice(1));
  expect([...new Set(sources.map(({ source }) => source))].sort()).toEqual([model, noise, retrieval]);
});

test('refuses what does not fit', () => {
  const drafts: Drafts = {
    ...{ known: [4], knownRows: 1, guesses: [[1, 2]], continuation: [3], width: 2, seed: 0 },
    ...{ depths: [0, 1], columns: [-1, 0] },
  };
  expect(() => run({}, drafts)).not.toThrow();
  expect(() => run({}, { ...drafts, depths: [0, 2] })).toThrow('draft_nodes.depths');
  expect(() => run({}, { ...drafts, knownRows: 2 })).toThrow('draft_nodes.known_rows');
  expect(() => run({}, { ...drafts, known: [] })).toThrow('draft_nodes.known_count');
  expect(() => run({}, { ...drafts, width: 1 })).toThrow('expected a width of at least a row of guesses');
});
