/** One f32 training step: forward, loss, backward, clipping and AdamW on rows of random tokens. */
import { internalsOf } from '../../model/model';
import { cancellable } from '../../native/cancel';
import type { NativeMicroBatch } from '../../native/contract';
import { randomTokens } from '../random-tokens';
import { trainingBatch } from '../settings';
import { spreadOf } from '../statistics';
import { repeated, type Suite } from './suite';

const options = {
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, clipNorm: 1, moments: 'f32' },
  noise: { enabled: false, kind: 'ahead', length: 5, segments: 1, seed: 0 },
  gradientCheckpointing: false,
  dtype: 'auto',
} as const;
const learningRate = 1e-4;

export const trainSuite: Suite = async ({ model, settings }) => {
  const { module, native, description } = internalsOf(model);
  const { hiddenSize, vocabularySize } = model.info;
  const { rows, rowTokens } = trainingBatch(settings, hiddenSize);
  settings.onProgress?.(`train: ${rows} rows of ${rowTokens} tokens`);
  const device = { device: model.info.device, threads: model.info.engine.threads, instructions: '' } as const;
  const batch = randomBatch(rows, rowTokens, vocabularySize, settings.seed);
  const milliseconds = await cancellable(module, settings.signal, async (token) => {
    const trainer = await module.createTrainer(description.config.shape, [], native, options, device, token);
    try {
      return await repeated(settings.repeats, async () => {
        const step = await trainer.step([batch], 0, learningRate, token);
        return step.milliseconds;
      });
    } finally {
      trainer.dispose();
    }
  });
  const name = `${rows} x ${rowTokens} tokens`;
  const perSecond = milliseconds.map((time) => (1000 * rows * rowTokens) / time);
  return {
    measurements: [
      { suite: 'train', name, unit: 'ms', better: 'lower', spread: spreadOf(milliseconds) },
      { suite: 'train', name, unit: 'tokens/s', better: 'higher', spread: spreadOf(perSecond) },
    ],
    failures: [],
  };
};

/** Every token after a row's first counts in the loss. */
function randomBatch(
  rows: number,
  rowTokens: number,
  vocabularySize: number,
  seed: number,
): NativeMicroBatch {
  const tokens = randomTokens(rows * rowTokens, vocabularySize, seed);
  return {
    tokens,
    labels: tokens.map((token, index) => (index % rowTokens === 0 ? -100 : token)),
    documentOffsets: Int32Array.from({ length: rows + 1 }, (_, row) => row * rowTokens),
    samples: Int32Array.from({ length: rows }, (_, row) => row),
  };
}
