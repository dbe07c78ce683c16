/** What the property tests of decoding draw: methods, draft options, requests and sampling. */
import fc from 'fast-check';
import { drawnPaths, drawnText } from './arbitraries';
import { jacobi, nodeTree, paperTree } from './decoding';

const drawnMethod = fc.oneof(
  fc.integer({ min: 1, max: 8 }).map((depth) => jacobi(depth)),
  fc
    .record({ depth: fc.integer({ min: 1, max: 6 }), width: fc.integer({ min: 1, max: 10 }) })
    .map(({ depth, width }) => paperTree(depth, width)),
  fc.integer({ min: 1, max: 40 }).map((nodes) => nodeTree(nodes)),
  fc
    .record({ depth: fc.integer({ min: 1, max: 32 }), width: fc.integer({ min: 1, max: 12 }) })
    .chain(({ depth, width }) => drawnPaths(depth, width, 30).map((paths) => ({ depth, width, paths }))),
);
export const drawnDrafts = fc
  .record({
    method: drawnMethod,
    retrieval: fc.boolean(),
    minMatch: fc.integer({ min: 1, max: 16 }),
    noiseSeed: fc.maxSafeNat(),
  })
  .map(({ method, retrieval, ...options }) => ({
    ...options,
    ...method,
    retrieval: retrieval && (method as { retrieval?: boolean }).retrieval !== false,
  }));
export const drawnRequest = fc.record({
  prompt: drawnText(1, 80),
  maxNewTokens: fc.integer({ min: 1, max: 30 }),
  endOfSequence: fc.array(fc.nat(60), { maxLength: 2 }),
  contextLength: fc.constantFrom(256, 100, 85),
});
export const drawnSampling = fc.record({
  temperature: fc.constantFrom(0, 0.5, 1, 1.7),
  topK: fc.constantFrom(0, 3, 50),
  topP: fc.constantFrom(1, 0.9),
  minP: fc.constantFrom(0, 0.05),
  repetitionPenalty: fc.constantFrom(1, 1.2, 0.9),
  seed: fc.maxSafeNat(),
});
