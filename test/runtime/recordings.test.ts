/**
 * Texts that follow one another through one model take up the memory and the recordings of the last one: nothing of
 * it may show in what they are, and a text of the same shape captures nothing.
 */
import fc from 'fast-check';
import { drawnModel, modelOf, modulo } from '../support/arbitraries';
import { decode, paperTree, textOf, type DecodingRequest } from '../support/decoding';
import { randomModel, type TestModel } from '../support/models';
import { drawnDrafts, drawnRequest, drawnSampling } from '../support/requests';
import { loadTesting } from '../support/testing';

const capturesOf = (model: TestModel) => loadTesting().captures!({ model }) as number;

/** How many steps the text has captured. */
function capturesBy(model: TestModel, request: DecodingRequest): number {
  const before = capturesOf(model);
  decode(model, { ...request, lead: 'device' });
  return capturesOf(model) - before;
}

/** Prompts, lengths, seeds and sampling of texts; few different drafts, so that shapes come again. */
const drawnTexts = fc.array(
  fc.record({ request: drawnRequest, draft: fc.nat(1), sampling: fc.option(drawnSampling, { nil: {} }) }),
  { minLength: 2, maxLength: 5 },
);

test('texts through one model are those that the host leads, whatever was there before', () => {
  let reused = 0;
  fc.assert(
    fc.property(drawnModel, fc.tuple(drawnDrafts, drawnDrafts), drawnTexts, (drawn, drafts, texts) => {
      const shape = { ...drawn.shape, contextLength: texts[0]!.request.contextLength };
      const model = modelOf({ ...drawn, shape });
      for (const { request, draft, sampling } of texts) {
        const { contextLength: _, ...asked } = request;
        const decoding = {
          ...{ ...asked, ...drafts[draft], ...sampling, noiseSeed: request.prompt.length },
          prompt: modulo(request.prompt, shape),
          endOfSequence: request.endOfSequence.filter((token) => token < shape.vocabularySize!),
        };
        const before = capturesOf(model);
        const steps = decode(model, { ...decoding, lead: 'device' });
        reused += capturesOf(model) === before ? 1 : 0;
        expect(steps).toEqual(decode(model, { ...decoding, lead: 'host' }));
      }
    }),
    { numRuns: 150 },
  );
  expect(reused).toBeGreaterThan(5);
});

describe('captures', () => {
  const request = { prompt: [3, 1, 4, 1, 5], maxNewTokens: 100, ...paperTree() };
  const sampled = { ...request, temperature: 1, topK: 20, repetitionPenalty: 1.1, seed: 1 };

  test.each([
    ['another prompt', request, { prompt: Array.from({ length: 40 }, (_, i) => i % 7) }],
    ['a shorter text', request, { maxNewTokens: 7 }],
    ['another seed of the noise', request, { noiseSeed: 77 }],
    ['another seed', sampled, { seed: 2 }],
    ['other sampling', sampled, { temperature: 0.5, topK: 3, topP: 0.9, minP: 0.01, repetitionPenalty: 1 }],
    ['other ends', { ...request, endOfSequence: [60] }, { endOfSequence: [59] }],
  ])('%s captures nothing', (_, first, change) => {
    const model = randomModel({ vocabularySize: 61, contextLength: 400 }, 1);
    expect(capturesBy(model, first)).toBeGreaterThan(0);
    expect(capturesBy(model, { ...first, ...change })).toBe(0);
    expect(capturesBy(model, first)).toBe(0);
  });

  test.each([
    ['another tree', paperTree(3)],
    ['no retrieval', { retrieval: false }],
    ['another kind of sampling', { temperature: 1 }],
    ['more ends', { endOfSequence: [60] }],
  ])('%s takes the place of what was there', (_, change) => {
    const model = randomModel({ vocabularySize: 61, contextLength: 400 }, 2);
    capturesBy(model, request);
    expect(capturesBy(model, { ...request, ...change })).toBeGreaterThan(0);
    expect(capturesBy(model, request)).toBeGreaterThan(0);
  });

  test('a longer text captures for what the cache grows to, and what lies behind a long one is given up', () => {
    const model = randomModel({ vocabularySize: 61, contextLength: 5000 }, 3);
    const short = { ...request, maxNewTokens: 10 };
    expect(capturesBy(model, short)).toBe(1);
    expect(capturesBy(model, { ...request, maxNewTokens: 100 })).toBe(1);
    const long = { ...short, prompt: Array.from({ length: 1200 }, (_, i) => i % 61) };
    expect(capturesBy(model, long)).toBeGreaterThan(0);
    expect(capturesBy(model, { ...long, prompt: long.prompt.slice(100) })).toBe(0);
    expect(capturesBy(model, short)).toBe(1);
  });

  test('what was left half done is not taken up', () => {
    const model = randomModel({ vocabularySize: 61, contextLength: 400 }, 4);
    const expected = textOf(decode(model, { ...request, lead: 'device' }));
    expect(() => decode(model, { ...request, lead: 'device', cancelled: true })).toThrow('aborted');
    expect(capturesBy(model, request)).toBeGreaterThan(0);
    expect(textOf(decode(model, { ...request, lead: 'device' }))).toEqual(expected);
  });
});
