/** The promise: every method writes the text of autoregressive decoding, greedy or sampled. */
import fc from 'fast-check';
import { drawnModel, drawnText, modelOf, modulo } from '../support/arbitraries';
import { decode, textOf } from '../support/decoding';
import { drawnDrafts, drawnRequest, drawnSampling } from '../support/requests';

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
      const found = decode(model, { ...asked, ...drafts });
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
        expect(textOf(decode(model, { ...asked, ...drafts }))).toEqual(textOf(decode(model, asked)));
      },
    ),
    { numRuns: 200 },
  );
});
