/** The promise on the CUDA engine, where the device leads through recorded steps. */
import fc from 'fast-check';
import { drawnModelOn, drawnText, modelOf, modulo } from '../support/arbitraries';
import { describeCuda } from '../support/cuda';
import { decode, jacobi, nodeTree, paperTree, textOf } from '../support/decoding';
import { expectGreedyTextsToAgree, expectSampledTextsToAgree } from '../support/losslessness';
import { randomModel } from '../support/models';
import { drawnDrafts, drawnRequest, drawnSampling } from '../support/requests';
import { loadTesting } from '../support/testing';

describeCuda('decoding', () => {
  const cuda = { device: 'cuda', dtype: 'bf16' } as const;
  const drawnModel = drawnModelOn(fc.constant(cuda));

  test('greedy text of every method is that of autoregressive decoding', () => {
    expect(expectGreedyTextsToAgree(drawnModel, 12)).toBeGreaterThan(1);
  });

  test('a seed samples the same text with every method', () => {
    expectSampledTextsToAgree(drawnModel, 6);
  });

  test('steps led by the device are the steps led by the host', () => {
    fc.assert(
      fc.property(
        drawnModel,
        drawnRequest,
        drawnDrafts,
        drawnSampling,
        (drawn, request, drafts, sampling) => {
          const { contextLength, ...asked } = request;
          const shape = { ...drawn.shape, contextLength };
          const decoding = {
            ...{ ...asked, ...drafts, ...sampling, prompt: modulo(request.prompt, shape) },
            endOfSequence: request.endOfSequence.filter((token) => token < shape.vocabularySize!),
          };
          const model = modelOf({ ...drawn, shape });
          const expected = decode(model, { ...decoding, lead: 'host' });
          expect(decode(model, { ...decoding, lead: 'device' })).toEqual(expected);
        },
      ),
      { numRuns: 6 },
    );
  });

  test('texts that end with the context, and outgrow the cache on the way', () => {
    const model = randomModel({ vocabularySize: 24, contextLength: 150 }, 3, cuda);
    const request = { prompt: [3, 1, 4, 1, 5], maxNewTokens: 1000 };
    const alone = textOf(decode(model, request));
    expect(alone).toHaveLength(145);
    for (const method of [jacobi(8), paperTree(), nodeTree(16)])
      expect(textOf(decode(model, { ...request, ...method }))).toEqual(alone);
  });

  test('denoising ends with the greedy text', () => {
    const noise = fc.array(fc.nat(999), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(drawnModel, drawnText(1, 40), noise, (drawn, text, noisy) => {
        const model = modelOf(drawn);
        const prompt = modulo(text, drawn.shape);
        const found = loadTesting().denoise!({ model, prefix: prompt, noisy: modulo(noisy, drawn.shape) });
        const greedy = textOf(decode(model, { prompt, maxNewTokens: noisy.length }));
        expect(found).toMatchObject({ tokens: greedy, fixedPoint: true, matched: noisy.length });
      }),
      { numRuns: 5 },
    );
  });
});
