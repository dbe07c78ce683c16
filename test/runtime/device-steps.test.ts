/** Steps led by the device are the steps led by the host, in every field that a step reports. */
import fc from 'fast-check';
import { drawnModel, modelOf, modulo } from '../support/arbitraries';
import { decode, jacobi, nodeTree, paperTree } from '../support/decoding';
import { randomModel } from '../support/models';
import { drawnDrafts, drawnRequest, drawnSampling } from '../support/requests';

const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };

test('random models, trees, texts and sampling', () => {
  const finishes = new Set<string>();
  const sampling = fc.oneof(fc.constant(greedy), drawnSampling);
  fc.assert(
    fc.property(drawnModel, drawnRequest, drawnDrafts, sampling, (drawn, request, drafts, options) => {
      const { contextLength, ...asked } = request;
      const shape = { ...drawn.shape, contextLength };
      const model = modelOf({ ...drawn, shape });
      const decoding = {
        ...{ ...asked, ...drafts, ...options, prompt: modulo(request.prompt, shape) },
        endOfSequence: request.endOfSequence.filter((token) => token < shape.vocabularySize!),
      };
      const expected = decode(model, { ...decoding, lead: 'host' });
      expect(decode(model, { ...decoding, lead: 'device' })).toEqual(expected);
      finishes.add(expected.at(-1)!.finish);
    }),
    { numRuns: 400 },
  );
  expect([...finishes].sort()).toEqual(['length', 'stop']);
});

test('texts that end with the context, and outgrow the cache on the way', () => {
  const model = randomModel({ vocabularySize: 24, contextLength: 300 }, 3);
  for (const method of [{}, jacobi(8), paperTree(), nodeTree(16), { paths: [[10]], width: 10 }]) {
    const request = { prompt: [3, 1, 4, 1, 5], maxNewTokens: 1000, ...method };
    const expected = decode(model, { ...request, lead: 'host' });
    expect(decode(model, { ...request, lead: 'device' })).toEqual(expected);
    expect(expected.flatMap((step) => step.tokens)).toHaveLength(295);
  }
});
