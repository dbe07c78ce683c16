import fc from 'fast-check';

import { drawnPaths } from '../support/arbitraries';
import { onEveryEngine } from '../support/operations';
import { i32, loadTesting, type TestTensor } from '../support/testing';

const { acceptPath, draftTree } = loadTesting();

/** The words of a StepRecord (native/base/decode_step.h). */
const recordWords = 8 + 33 + 32 + 8 + 1023;
const reasons = { none: 0, stop: 1, length: 2 };

interface Tree {
  parents: number[];
  depths: number[];
  columns: number[];
  deepestBelow: number[];
  height: number;
}
interface Step {
  tokens: number[];
  sources: number[];
  choices: number[];
  match?: [number, number];
}
interface Text {
  known: number[];
  cacheLength: number;
  lastLength: number;
  endTokens: number[];
}
const depth = 6;
const vocabulary = 4;

/** Device memory of one text, and a step over it. */
class Device {
  readonly known: TestTensor;
  readonly numbers: Record<string, TestTensor>;
  readonly isKnown: TestTensor;
  readonly records: TestTensor = { data: new Uint8Array(8 * recordWords), shape: [2, 4 * recordWords] };

  constructor(
    readonly engine: object,
    readonly tree: Tree,
    readonly text: Text,
  ) {
    this.known = i32([...text.known, ...new Array<number>(text.lastLength - text.known.length).fill(-1)]);
    this.numbers = {
      knownCount: i32([text.known.length]),
      cacheLength: i32([text.cacheLength]),
      ...{ knownRows: i32([-1]), finish: i32([0]), step: i32([0]) },
      ...{ keptRows: i32(new Array<number>(tree.height + 1).fill(-1)), keptCount: i32([-1]) },
      ...{ firstRow: i32([-1]), nextRows: i32(new Array<number>(depth).fill(-2)) },
    };
    const isKnown = Uint8Array.from({ length: vocabulary }, (_, t) => (text.known.includes(t) ? 1 : 0));
    this.isKnown = { data: isKnown, shape: [vocabulary] };
  }

  step({ tokens, sources, choices, match }: Step) {
    const { parents, depths, columns, deepestBelow } = this.tree;
    acceptPath!({
      ...{ ...this.engine, ...this.numbers, known: this.known, isKnown: this.isKnown, records: this.records },
      ...{
        parents: i32(parents),
        depths: i32(depths),
        columns: i32(columns),
        deepestBelow: i32(deepestBelow),
      },
      ...{ tokens: i32(tokens), sources: i32(sources), choices: i32(choices) },
      ...(match ? { match: i32(match) } : {}),
      ...(this.text.endTokens.length > 0 ? { endTokens: i32(this.text.endTokens) } : {}),
      lastLength: this.text.lastLength,
    });
  }

  number = (name: string) => this.numbers[name]!.data[0]!;

  record(step: number) {
    const bytes = this.records.data as Uint8Array;
    const words = new Int32Array(bytes.buffer, 4 * recordWords * (step % 2), recordWords);
    const list = (first: number, length: number) => [...words.subarray(first, first + length)];
    const [number, acceptedLength, emitted, finish, matchLength, matchEnd, knownRows, nodes] = words;
    const sources = new Uint8Array(bytes.buffer, words.byteOffset + 4 * (8 + 33 + 32), 32);
    return {
      ...{ number, acceptedLength, finish, match: [matchLength, matchEnd], knownRows },
      tokens: list(8, emitted!),
      acceptedColumns: list(8 + 33, acceptedLength! - 1),
      acceptedSources: [...sources.subarray(0, acceptedLength! - 1)],
      drafted: list(8 + 33 + 32 + 8, nodes! - 1),
    };
  }

  state() {
    return {
      known: [...this.known.data].slice(0, this.number('knownCount')),
      cacheLength: this.number('cacheLength'),
      kept: [...this.numbers.keptRows!.data].slice(0, this.number('keptCount')),
      firstRow: this.number('firstRow'),
      nextRows: [...this.numbers.nextRows!.data],
      isKnown: [...this.isKnown.data],
    };
  }
}

/** docs/method.md, points 6 to 9, node by node as the host-led step does it. */
function reference(tree: Tree, text: Text, step: Step, number: number) {
  const { parents, depths, columns, deepestBelow } = tree;
  const { tokens, choices } = step;
  const contexts = tokens.map((_, node): number => (node === 0 ? 0 : -1));
  let deepest = 0;
  for (let node = 1; node < tokens.length; ++node) {
    const parent = contexts[parents[node]!]!;
    if (parent < 0 || tokens[node] !== choices[parent]) continue;
    const same = (other: number) =>
      contexts[other] === other && contexts[parents[other]!] === parent && tokens[other] === tokens[node];
    const equal = [...tokens.keys()].find((other) => other > parent && other < node && same(other));
    contexts[node] = equal ?? node;
    if (depths[node]! > depths[deepest]!) deepest = node;
  }
  const upwards = (from: number, until: number): number[] =>
    from === until ? [] : [...upwards(parents[from]!, until), from];
  const path = upwards(deepest, 0);
  const emitted: number[] = [];
  let finish = reasons.none;
  for (const token of [...path.map((node) => tokens[node]!), choices[contexts[deepest]!]!]) {
    emitted.push(token);
    if (text.endTokens.includes(token)) finish = reasons.stop;
    else if (text.known.length + emitted.length === text.lastLength) finish = reasons.length;
    if (finish !== reasons.none) break;
  }
  const next = upwards(deepestBelow[deepest]!, deepest);
  const known = [...text.known, ...emitted];
  return {
    record: {
      ...{ number, acceptedLength: path.length + 1, finish, match: step.match ?? [0, 0] },
      ...{ knownRows: next.length, tokens: emitted, drafted: tokens.slice(1) },
      acceptedColumns: path.map((node) => columns[node]!),
      acceptedSources: path.map((node) => step.sources[node]!),
    },
    state: {
      ...{ known, cacheLength: text.cacheLength + path.length + 1, firstRow: text.cacheLength },
      kept: [0, ...path].map((node) => text.cacheLength + node),
      nextRows: [...next, ...new Array<number>(depth - next.length).fill(-1)],
      isKnown: Array.from({ length: vocabulary }, (_, token) => (known.includes(token) ? 1 : 0)),
    },
  };
}

const drawnTree = drawnPaths(depth, 3, 40).map((paths) => draftTree!({ paths, depth, width: 3 }) as Tree);
const drawnRun = fc
  .record({
    tree: drawnTree,
    prompt: fc.array(fc.nat(vocabulary - 1), { minLength: 1, maxLength: 5 }),
    newTokens: fc.integer({ min: 1, max: 20 }),
    endTokens: fc.constantFrom<number[]>([], [3], [3, 0]),
  })
  .chain(({ tree, prompt, newTokens, endTokens }) => {
    const ofNodes = (most: number) =>
      fc.array(fc.nat(most), { minLength: tree.parents.length, maxLength: tree.parents.length });
    return fc.record({
      tree: fc.constant(tree),
      text: fc.constant<Text>({
        ...{ known: prompt, cacheLength: prompt.length - 1, endTokens },
        lastLength: prompt.length + newTokens,
      }),
      // Few tokens, so that drafts are accepted and siblings are equal.
      steps: fc.array(
        fc.record({
          ...{ tokens: ofNodes(1), sources: ofNodes(2), choices: ofNodes(vocabulary - 1) },
          match: fc.constantFrom<[number, number] | undefined>(undefined, [0, 0], [4, 17]),
        }),
        { minLength: 1, maxLength: 8 },
      ),
    });
  });

type Run = typeof drawnRun extends fc.Arbitrary<infer T> ? T : never;

/** What each step of a run leaves behind, up to the end of the text. */
function* expectedSteps({ tree, text, steps }: Run) {
  let now = text;
  for (const [index, step] of steps.entries()) {
    const expected = reference(tree, now, step, index + 1);
    yield { step, ...expected };
    if (expected.record.finish !== reasons.none) return;
    now = { ...now, known: expected.state.known, cacheLength: expected.state.cacheLength };
  }
}

test('accepts, keeps, emits and looks ahead as the host does, step by step', () => {
  fc.assert(
    fc.property(drawnRun, (run) => {
      onEveryEngine((engine) => {
        const device = new Device(engine, run.tree, run.text);
        for (const { step, record, state } of expectedSteps(run)) {
          device.step(step);
          expect(device.record(record.number)).toEqual(record);
          expect(device.state()).toEqual(state);
          expect(device.number('knownRows')).toBe(record.knownRows);
        }
      });
    }),
    { numRuns: 150 },
  );
});

test('the runs drawn reach long paths and every end', () => {
  const records = fc
    .sample(drawnRun, { numRuns: 500, seed: 1 })
    .flatMap((run) => [...expectedSteps(run)].map(({ record }) => record));
  expect(Math.max(...records.map(({ acceptedLength }) => acceptedLength))).toBeGreaterThan(3);
  expect(new Set(records.map(({ finish }) => finish)).size).toBe(3);
});

test('behind the end of the text a step changes nothing', () => {
  const tree = draftTree!({ paths: [[0], [0, 0]], depth, width: 3 }) as Tree;
  const device = new Device({}, tree, { known: [1], cacheLength: 0, lastLength: 9, endTokens: [2] });
  device.step({ tokens: [1, 3, 2], sources: [0, 1, 1], choices: [3, 2, 0] });
  expect(device.record(1)).toMatchObject({ tokens: [3, 2], acceptedLength: 3, finish: reasons.stop });
  const before = { ...device.state(), kept: [], firstRow: 3, nextRows: new Array<number>(depth).fill(-1) };
  const records = [...device.records.data];
  device.step({ tokens: [1, 0, 0], sources: [0, 0, 0], choices: [0, 0, 0] });
  expect(device.state()).toEqual(before);
  expect(device.number('step')).toBe(1);
  expect([...device.records.data]).toEqual(records);
});

test('refuses what does not fit', () => {
  const tree = draftTree!({ paths: [[0]], depth, width: 3 }) as Tree;
  const text: Text = { known: [1], cacheLength: 0, lastLength: 4, endTokens: [] };
  const attempt = (change: Partial<Tree>, choices = [0, 0]) =>
    expect(() =>
      new Device({}, { ...tree, ...change }, text).step({ tokens: [1, 1], sources: [0, 0], choices }),
    );
  attempt({}).not.toThrow();
  attempt({ parents: [-1, 1] }).toThrow('accept_path.parents');
  attempt({ depths: [0, 2] }).toThrow('accept_path.depths');
  attempt({ deepestBelow: [2, 1] }).toThrow('accept_path.deepest_below');
  attempt({ height: 0 }).toThrow('accept_path.depths');
  attempt({}, [vocabulary, 0]).toThrow('accept_path.choices');
  text.lastLength = 1;
  attempt({}).toThrow('accept_path.last_length');
});
