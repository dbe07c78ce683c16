/** The promise: every method writes the text of autoregressive decoding, greedy or sampled. */
import fc from 'fast-check';
import { drawnModel, drawnPaths, drawnText, modelOf, modulo } from '../support/arbitraries';
import { decode, jacobi, nodeTree, paperTree, textOf } from '../support/decoding';

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
const drawnDrafts = fc.record({
  method: drawnMethod,
  retrieval: fc.boolean(),
  minMatch: fc.integer({ min: 1, max: 16 }),
  noiseSeed: fc.maxSafeNat(),
});
const drawnRequest = fc.record({
  prompt: drawnText(1, 80),
  maxNewTokens: fc.integer({ min: 1, max: 30 }),
  endOfSequence: fc.array(fc.nat(60), { maxLength: 2 }),
  contextLength: fc.constantFrom(256, 100, 85),
});
const drawnSampling = fc.record({
  temperature: fc.constantFrom(0, 0.5, 1, 1.7),
  topK: fc.constantFrom(0, 3, 50),
  topP: fc.constantFrom(1, 0.9),
  minP: fc.constantFrom(0, 0.05),
  repetitionPenalty: fc.constantFrom(1, 1.2, 0.9),
  seed: fc.maxSafeNat(),
});

type Drafts = typeof drawnDrafts extends fc.Arbitrary<infer T> ? T : never;
const draftOptions = ({ method, retrieval, ...options }: Drafts) => ({
  ...options,
  ...method,
  retrieval: retrieval && (method as { retrieval?: boolean }).retrieval !== false,
});

test('greedy text of every method is that of autoregressive decoding', () => {
  let steps = 0;
  let tokens = 0;
  fc.assert(
    fc.property(drawnModel, drawnRequest, drawnDrafts, (drawn, request, drafts) => {
      const { contextLength, ...options } = request;
      const shape = { ...drawn.shape, contextLength };
      const model = modelOf({ ...drawn, shape });
      const vocabulary = shape.vocabularySize!;
      const asked = {
        ...options,
        prompt: modulo(request.prompt, shape),
        endOfSequence: request.endOfSequence.filter((token) => token < vocabulary),
      };
      const expected = decode(model, asked);
      const found = decode(model, { ...asked, ...draftOptions(drafts) });
      expect(textOf(found)).toEqual(textOf(expected));
      expect(found.at(-1)!.finish).toBe(expected.at(-1)!.finish);
      const room = Math.min(request.maxNewTokens, contextLength - request.prompt.length);
      expect(expected.every((step) => step.tokens.length === 1)).toBe(true);
      expect(textOf(found).length).toBeLessThanOrEqual(room);
      if (found.at(-1)!.finish === 'length') expect(textOf(found)).toHaveLength(room);
      steps += found.length;
      tokens += expected.length;
    }),
    { numRuns: 600 },
  );
  // The texts did not agree for want of accepted drafts.
  expect(tokens / steps).toBeGreaterThan(1.3);
});

test('a seed samples the same text with every method', () => {
  fc.assert(
    fc.property(
      drawnModel,
      drawnText(1, 40),
      drawnSampling,
      drawnDrafts,
      (drawn, prompt, sampling, drafts) => {
        const model = modelOf(drawn);
        const asked = { prompt: modulo(prompt, drawn.shape), maxNewTokens: 20, ...sampling };
        expect(textOf(decode(model, { ...asked, ...draftOptions(drafts) }))).toEqual(
          textOf(decode(model, asked)),
        );
      },
    ),
    { numRuns: 200 },
  );
});
