/** What a step of n nodes costs: the curve from which the size of a draft tree follows. */
import { timePasses } from '../passes';
import type { Measurement } from '../report';
import { spreadOf } from '../statistics';
import type { Suite } from './suite';

const warmUpPasses = 2;

export const verifySuite: Suite = async ({ model, settings }) => {
  const prefix = settings.promptTokens;
  const measurements: Measurement[] = [];
  for (const nodes of settings.nodes) {
    settings.onProgress?.(`verify: ${nodes} nodes behind ${prefix}`);
    const repeats = warmUpPasses + settings.repeats;
    const milliseconds = await timePasses(model, {
      nodes,
      prefix,
      repeats,
      withLogits: true,
      signal: settings.signal,
    });
    measurements.push({
      suite: 'verify',
      name: nodes === 1 ? '1 node' : `${nodes} nodes`,
      unit: 'ms',
      better: 'lower',
      spread: spreadOf(milliseconds.subarray(warmUpPasses)),
    });
  }
  return { measurements, failures: [] };
};
