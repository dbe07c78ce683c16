/** Reading a prompt into the cache: tokens per second by prompt length. */
import { generate } from '../../generate';
import { randomTokens } from '../random-tokens';
import type { Measurement } from '../report';
import { spreadOf } from '../statistics';
import { repeated, type Suite } from './suite';

export const prefillSuite: Suite = async ({ model, settings }) => {
  const measurements: Measurement[] = [];
  for (const length of settings.prefillTokens) {
    // The prompt's last token is the root of the first step: it is not part of the prefill.
    const tokens = randomTokens(length + 1, model.info.vocabularySize, settings.seed);
    settings.onProgress?.(`prefill: ${length} tokens`);
    const perSecond = await repeated(settings.repeats, async () => {
      const { stats } = await generate(model, {
        tokens,
        maxNewTokens: 1,
        eosTokens: [],
        decoding: { method: 'autoregressive' },
        signal: settings.signal,
        throwOnAbort: true,
      });
      return (1000 * length) / stats.prefillMs;
    });
    measurements.push({
      suite: 'prefill',
      name: `${length} tokens`,
      unit: 'tokens/s',
      better: 'higher',
      spread: spreadOf(perSecond),
    });
  }
  return { measurements, failures: [] };
};
