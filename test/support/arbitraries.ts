/** What the property tests draw: small models of every architecture, prompts, trees. */
import fc from 'fast-check';
import type { NativeModelShape } from '../../ts/native/contract';
import { type EngineOptions, type TestModel, randomModel } from './models';
import { instructionSets } from './testing';

export interface DrawnModel {
  shape: Partial<NativeModelShape>;
  seed: number;
  engine: EngineOptions;
}

const architectures: Record<string, Partial<NativeModelShape>> = {
  llama: {},
  'llama-linear': { ropeKind: 'linear', ropeFactor: 4 },
  llama3: { ropeKind: 'llama3', ropeFactor: 8, ropeOriginalLength: 32, ropeTheta: 500000 },
  mistral: { window: 9 },
  'mistral-wide': { window: 70 },
  qwen2: { attentionBias: true, ropeTheta: 1e6 },
  qwen3: { queryKeyNorm: true, headDim: 10 },
};

/** A few dozen models, each made once: drawing one is cheap. */
export const drawnModelOn = (engine: fc.Arbitrary<EngineOptions>): fc.Arbitrary<DrawnModel> =>
  fc.record({
    shape: fc
      .record({
        architecture: fc.constantFrom(...Object.keys(architectures)),
        heads: fc.constantFrom({ heads: 4, kvHeads: 4 }, { heads: 4, kvHeads: 2 }, { heads: 3, kvHeads: 1 }),
        tiedHead: fc.boolean(),
        vocabularySize: fc.constantFrom(7, 24, 61),
      })
      .map(({ architecture, heads, tiedHead, vocabularySize }) => ({
        ...{ ...architectures[architecture], ...heads, tiedHead, vocabularySize },
        headDim: architectures[architecture]!.headDim ?? 8,
      })),
    seed: fc.integer({ min: 0, max: 1 }),
    engine,
  });
/** On every CPU engine of this machine. */
export const drawnModel = drawnModelOn(
  fc.record({
    dtype: fc.constantFrom('f32' as const, 'bf16' as const),
    threads: fc.integer({ min: 1, max: 3 }),
    instructions: fc.constantFrom(...instructionSets()),
  }),
);

const made = new Map<string, TestModel>();
export function modelOf(drawn: DrawnModel): TestModel {
  const key = JSON.stringify(drawn);
  const model = made.get(key) ?? randomModel(drawn.shape, drawn.seed, drawn.engine);
  made.set(key, model);
  return model;
}

/** Token ids, to be taken modulo the vocabulary; some random, some a repeated phrase. */
export const drawnText = (minLength: number, maxLength: number): fc.Arbitrary<number[]> =>
  fc.oneof(
    fc.array(fc.nat(999), { minLength, maxLength }),
    fc
      .record({
        phrase: fc.array(fc.nat(999), { minLength: 1, maxLength: 6 }),
        length: fc.integer({ min: minLength, max: maxLength }),
      })
      .map(({ phrase, length }) => Array.from({ length }, (_, i) => phrase[i % phrase.length]!)),
  );

export const modulo = (tokens: number[], shape: Partial<NativeModelShape>): number[] =>
  tokens.map((token) => token % shape.vocabularySize!);

/** Parents of 1 to `most` nodes: chains, bushes and several roots. */
export const drawnParents = (most: number): fc.Arbitrary<number[]> =>
  fc
    .array(fc.nat(9999), { minLength: 1, maxLength: most })
    .map((numbers) =>
      numbers.map((number, node) => (number % 3 === 0 ? node - 1 : (number % (node + 1)) - 1)),
    );

/** Draft paths without holes over a table of `depth` rows and `width` + 1 columns. */
export const drawnPaths = (depth: number, width: number, most: number): fc.Arbitrary<number[][]> =>
  fc.array(fc.tuple(fc.nat(9999), fc.integer({ min: 0, max: width })), { maxLength: most }).map((draws) => {
    const paths: number[][] = [[]];
    for (const [parent, column] of draws) {
      const path = [...paths[parent % paths.length]!, column];
      const isNew = paths.every((known) => known.join() !== path.join());
      if (isNew && path.length <= depth) paths.push(path);
    }
    return paths.slice(1);
  });
