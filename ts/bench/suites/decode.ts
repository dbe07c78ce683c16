/** Greedy decoding one token after another: milliseconds per token. */
import { generate } from '../../generate';
import { randomTokens } from '../random-tokens';
import { spreadOf } from '../statistics';
import { repeated, type Suite } from './suite';

export const decodeSuite: Suite = async ({ model, settings }) => {
  const tokens = randomTokens(settings.promptTokens, model.info.vocabularySize, settings.seed);
  settings.onProgress?.(`decode: ${settings.newTokens} tokens behind ${settings.promptTokens}`);
  const perToken = await repeated(settings.repeats, async () => {
    const { stats } = await generate(model, {
      tokens,
      maxNewTokens: settings.newTokens,
      eosTokens: [],
      decoding: { method: 'autoregressive' },
      signal: settings.signal,
      throwOnAbort: true,
    });
    return stats.decodeMs / stats.newTokens;
  });
  return {
    measurements: [
      {
        suite: 'decode',
        name: 'autoregressive',
        unit: 'ms/token',
        better: 'lower',
        spread: spreadOf(perToken),
      },
    ],
    failures: [],
  };
};
