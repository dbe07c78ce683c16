/** The promise: every method writes the text of autoregressive decoding, greedy or sampled. */
import { drawnModel } from '../support/arbitraries';
import { expectGreedyTextsToAgree, expectSampledTextsToAgree } from '../support/losslessness';

test('greedy text of every method is that of autoregressive decoding', () => {
  expect(expectGreedyTextsToAgree(drawnModel, 600)).toBeGreaterThan(1.3);
});

test('a seed samples the same text with every method', () => {
  expectSampledTextsToAgree(drawnModel, 200);
});
