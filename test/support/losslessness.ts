/** The promise: every method writes the text of autoregressive decoding, greedy or sampled. For every engine. */
import fc from 'fast-check';
import { type DrawnModel, drawnText, modelOf, modulo } from './arbitraries';
import { decode, textOf } from './decoding';
import { drawnDrafts, drawnRequest, drawnSampling } from './requests';

/**
 * Greedy text of every method is that of autoregressive decoding. Returns the tokens per step, so that texts do not
 * agree for want of accepted drafts.
 */
export function expectGreedyTextsToAgree(model: fc.Arbitrary<DrawnModel>, runs: number): number {
  let steps = 0;
  let tokens = 0;
  fc.assert(
    fc.property(model, drawnRequest, drawnDrafts, (drawn, request, drafts) => {
      const { contextLength, ...options } = request;
      const shape = { ...drawn.shape, contextLength };
      const engine = modelOf({ ...drawn, shape });
      const vocabulary = shape.vocabularySize!;
      const asked = {
        ...options,
        prompt: modulo(request.prompt, shape),
        endOfSequence: request.endOfSequence.filter((token) => token < vocabulary),
      };
      const expected = decode(engine, asked);
      const found = decode(engine, { ...asked, ...drafts });
      expect(textOf(found)).toEqual(textOf(expected));
      expect(found.at(-1)!.finish).toBe(expected.at(-1)!.finish);
      const room = Math.min(request.maxNewTokens, contextLength - request.prompt.length);
      expect(expected.every((step) => step.tokens.length === 1)).toBe(true);
      expect(textOf(found).length).toBeLessThanOrEqual(room);
      if (found.at(-1)!.finish === 'length') expect(textOf(found)).toHaveLength(room);
      steps += found.length;
      tokens += expected.length;
    }),
    { numRuns: runs },
  );
  return tokens / steps;
}

/** A seed samples the same text with every method. */
export function expectSampledTextsToAgree(model: fc.Arbitrary<DrawnModel>, runs: number): void {
  fc.assert(
    fc.property(model, drawnText(1, 40), drawnSampling, drawnDrafts, (drawn, prompt, sampling, drafts) => {
      const engine = modelOf(drawn);
      const asked = { prompt: modulo(prompt, drawn.shape), maxNewTokens: 20, ...sampling };
      expect(textOf(decode(engine, { ...asked, ...drafts }))).toEqual(textOf(decode(engine, asked)));
    }),
    { numRuns: runs },
  );
}
