import fc from 'fast-check';

import {
  expectClose,
  expectSameBits,
  onEveryEngine,
  randomNumbers,
  type Engine,
} from '../support/operations';
import { f32, i32, loadTesting } from '../support/testing';

const { treeAttention, kvCompact } = loadTesting();

/** A token: its query, key and value are functions of an id, as a position's are of its own tokens. */
interface Shape {
  heads: number;
  kvHeads: number;
  headDim: number;
  window: number;
}
const vectors = new Map<string, Float32Array>();
const vector = (id: number, kind: number, length: number) => {
  const key = `${id} ${kind} ${length}`;
  let found = vectors.get(key);
  if (!found) {
    const next = randomNumbers(id * 4 + kind);
    vectors.set(key, (found = Float32Array.from({ length }, () => 2 * next())));
  }
  return found;
};

interface Call {
  prefix: number[];
  nodes: number[];
  parents: number[];
}

class Cache {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  constructor(
    readonly shape: Shape,
    readonly capacity: number,
  ) {
    this.keys = new Float32Array(shape.kvHeads * capacity * shape.headDim).fill(NaN);
    this.values = this.keys.slice();
  }
  put(row: number, id: number): void {
    const { kvHeads, headDim } = this.shape;
    const key = vector(id, 1, kvHeads * headDim);
    const value = vector(id, 2, kvHeads * headDim);
    for (let head = 0; head < kvHeads; ++head) {
      const at = (head * this.capacity + row) * headDim;
      this.keys.set(key.subarray(head * headDim, (head + 1) * headDim), at);
      this.values.set(value.subarray(head * headDim, (head + 1) * headDim), at);
    }
  }
  tensors() {
    const shape = [this.shape.kvHeads, this.capacity, this.shape.headDim];
    return { keys: { data: this.keys, shape }, values: { data: this.values, shape } };
  }
}

function attend(
  engine: Engine,
  cache: Cache,
  prefixLength: number,
  nodes: number[],
  parents: number[],
): Float32Array {
  const { heads, headDim, window } = cache.shape;
  const output = new Float32Array(nodes.length * heads * headDim).fill(NaN);
  const query = nodes.flatMap((id) => [...vector(id, 0, heads * headDim)]);
  treeAttention!({
    ...engine,
    query: f32(query, nodes.length, heads, headDim),
    ...cache.tensors(),
    prefixLength: i32([prefixLength]),
    parents: i32(parents),
    window,
    output: { data: output, shape: [nodes.length, heads * headDim] },
  });
  return output;
}

function run(engine: Engine, shape: Shape, { prefix, nodes, parents }: Call): Float32Array {
  const cache = new Cache(shape, prefix.length + nodes.length + 3);
  [...prefix, ...nodes].forEach((id, row) => cache.put(row, id));
  return attend(engine, cache, prefix.length, nodes, parents);
}

/** Ids that node n sees, in order of position. */
function visible({ prefix, nodes, parents }: Call, node: number, window: number): number[] {
  const path: number[] = [];
  for (let n = node; n >= 0; n = parents[n]!) path.unshift(nodes[n]!);
  const all = [...prefix, ...path];
  return window > 0 ? all.slice(-window) : all;
}

function reference(shape: Shape, call: Call): number[] {
  const { heads, kvHeads, headDim, window } = shape;
  return call.nodes.flatMap((id, node) => {
    const query = vector(id, 0, heads * headDim);
    const seen = visible(call, node, window);
    return Array.from({ length: heads }, (_, head) => {
      const part = (kind: number, other: number) => {
        const first = Math.floor(head / (heads / kvHeads)) * headDim;
        return vector(other, kind, kvHeads * headDim).subarray(first, first + headDim);
      };
      const scores = seen.map((other) => {
        const key = part(1, other);
        let sum = 0;
        for (let d = 0; d < headDim; ++d) sum += query[head * headDim + d]! * key[d]!;
        return sum / Math.sqrt(headDim);
      });
      const highest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - highest));
      const total = weights.reduce((a, b) => a + b, 0);
      const result = new Array<number>(headDim).fill(0);
      seen.forEach((other, t) => {
        const value = part(2, other);
        for (let d = 0; d < headDim; ++d) result[d]! += (weights[t]! / total) * value[d]!;
      });
      return result;
    }).flat();
  });
}

const shapes = fc
  .record({
    kvHeads: fc.integer({ min: 1, max: 3 }),
    group: fc.constantFrom(1, 2, 3, 4, 7),
    headDim: fc.constantFrom(2, 8, 12, 14, 20, 24, 64, 80, 128),
    window: fc.constantFrom(0, 0, 1, 5, 16, 70),
  })
  .map(({ kvHeads, group, headDim, window }) => ({ heads: kvHeads * group, kvHeads, headDim, window }));

/** A tree of up to 20 nodes behind a prefix of up to 150 tokens; a parent is drawn among the earlier nodes. */
const calls = fc
  .record({
    prefixLength: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 55, max: 150 })),
    picks: fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 20 }),
    chain: fc.boolean(),
  })
  .map(({ prefixLength, picks, chain }) => ({
    prefix: Array.from({ length: prefixLength }, (_, i) => 1000 + i),
    nodes: picks.map((_, i) => 5000 + i),
    parents: picks.map((pick, i) => (chain ? i - 1 : (pick % (i + 1)) - 1)),
  }));

const rowOf = (array: Float32Array, row: number, { heads, headDim }: Shape) =>
  array.subarray(row * heads * headDim, (row + 1) * heads * headDim);

describe('tree attention', () => {
  test('equals float64 attention over the path of each node', () => {
    fc.assert(
      fc.property(shapes, calls, (shape, call) => {
        const expected = reference(shape, call);
        onEveryEngine((engine) => expectClose(run(engine, shape, call), expected, 1e-5));
      }),
      { numRuns: 25 },
    );
  });

  test('gives a node the same bits alone, in a chain, in a tree, and for every split of a prefill', () => {
    fc.assert(
      fc.property(shapes, calls, fc.nat(1000), (shape, call, pick) => {
        const node = pick % call.nodes.length;
        const path = visible(call, node, 0);
        onEveryEngine((engine) => {
          const expected = rowOf(run(engine, shape, call), node, shape);
          const ends = [path.length - 1, 0, pick % path.length];
          for (const threads of [1, 2, 3])
            for (const cut of ends) {
              const chain = path.slice(cut);
              const parents = chain.map((_, i) => i - 1);
              const result = run({ ...engine, threads }, shape, {
                prefix: path.slice(0, cut),
                nodes: chain,
                parents,
              });
              expectSameBits(rowOf(result, chain.length - 1, shape), expected);
            }
        });
      }),
      { numRuns: 40 },
    );
  });

  test('gives a node behind a compacted path the bits it has behind a plain prefix', () => {
    const shape = { heads: 6, kvHeads: 2, headDim: 20, window: 0 };
    onEveryEngine((engine) => {
      const cache = new Cache(shape, 90);
      const prefix = Array.from({ length: 62 }, (_, i) => i);
      const tree = [100, 101, 102, 103, 104, 105];
      [...prefix, ...tree].forEach((id, row) => cache.put(row, id));
      const accepted = [1, 3, 4];
      for (const tensor of [cache.tensors().keys, cache.tensors().values])
        kvCompact!({
          ...engine,
          cache: tensor,
          sources: i32(accepted.map((node) => 62 + node)),
          firstRow: i32([62]),
        });
      cache.put(65, 200);
      const received = attend(engine, cache, 65, [200], [-1]);
      const plain = {
        prefix: [...prefix, ...accepted.map((node) => tree[node]!)],
        nodes: [200],
        parents: [-1],
      };
      expectSameBits(received, run(engine, shape, plain));
    });
  });

  test('holds across long prefixes, with and without a window', () => {
    for (const window of [0, 100]) {
      const shape = { heads: 9, kvHeads: 3, headDim: 64, window };
      const all = Array.from({ length: 700 }, (_, i) => i);
      const parents = (length: number) => Array.from({ length }, (_, i) => i - 1);
      onEveryEngine((engine) => {
        const whole = run(engine, shape, { prefix: [], nodes: all, parents: parents(700) });
        const tail = run(engine, shape, {
          prefix: all.slice(0, 511),
          nodes: all.slice(511),
          parents: parents(189),
        });
        expectSameBits(tail, whole.subarray(511 * 9 * 64));
        const last = run(engine, shape, { prefix: all.slice(0, 699), nodes: [699], parents: [-1] });
        expectSameBits(last, rowOf(whole, 699, shape));
      });
    }
  });

  test('refuses shapes, parents and prefixes that do not fit', () => {
    const make = (change: object) => () =>
      treeAttention!({
        query: f32(new Float32Array(16), 2, 2, 4),
        keys: f32(new Float32Array(12), 1, 3, 4),
        values: f32(new Float32Array(12), 1, 3, 4),
        prefixLength: i32([1]),
        parents: i32([-1, 0]),
        output: f32(new Float32Array(16), 2, 8),
        ...change,
      });
    expect(make({})).not.toThrow();
    expect(make({ parents: i32([-1, 1]) })).toThrow(
      'tree_attention.parents: expected a parent from -1 to 0, received 1',
    );
    expect(make({ parents: i32([-2, 0]) })).toThrow('tree_attention.parents');
    expect(make({ prefixLength: i32([2]) })).toThrow(
      'tree_attention.prefix_length: expected a cache row from 0 to 1',
    );
    expect(make({ prefixLength: i32([-1]) })).toThrow('tree_attention.prefix_length');
    expect(make({ window: -1 })).toThrow('tree_attention.window');
    expect(make({ values: f32(new Float32Array(8), 1, 2, 4) })).toThrow('tree_attention.values');
    expect(
      make({ keys: f32(new Float32Array(36), 3, 3, 4), values: f32(new Float32Array(36), 3, 3, 4) }),
    ).toThrow('the same number of query heads');
  });
});
