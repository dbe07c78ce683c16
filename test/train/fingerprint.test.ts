import { tinyShape } from '../support/shapes';
import { checkFingerprint, fingerprintOf, type FingerprintParts } from '../../ts/train/fingerprint';

const parts: FingerprintParts = {
  shape: tinyShape(),
  data: 'abc',
  batches: {
    batchSize: 2,
    gradientAccumulation: 1,
    sequenceLength: 16,
    packing: true,
    shuffle: true,
    seed: 1,
  },
  noise: { enabled: true, kind: 'ahead', length: 5, segments: 1, seed: 0 },
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clipNorm: 1, moments: 'f32' },
  schedule: { name: 'cosine', learningRate: 1e-3, warmupSteps: 1, totalSteps: 10, finalRatio: 0 },
};
const compare = (then: FingerprintParts, now: FingerprintParts) => (): void =>
  checkFingerprint('out/checkpoint-3', fingerprintOf(then), fingerprintOf(now));

test('equal settings go on, after a round through JSON too', () => {
  expect(compare(parts, parts)).not.toThrow();
  const stored = JSON.parse(JSON.stringify(fingerprintOf(parts))) as ReturnType<typeof fingerprintOf>;
  expect(() => checkFingerprint('x', stored, fingerprintOf(parts))).not.toThrow();
});

test('names everything that differs', () => {
  const other = {
    ...parts,
    data: 'def',
    optimizer: { ...parts.optimizer, beta1: 0.8 },
    noise: { ...parts.noise, enabled: false },
  };
  expect(compare(parts, other)).toThrow(
    expect.objectContaining({
      code: 'ERR_CHECKPOINT',
      message: expect.stringMatching(
        /^out\/checkpoint-3: was made with other settings: the training data, noise\.enabled \(true then, none now\), .*optimizer\.beta1 \(0\.9 then, 0\.8 now\), noise \(none then, false now\)\. Give the same/,
      ) as string,
    }),
  );
});

test('what does not change the bits does not matter', () => {
  const unshuffled = { ...parts, batches: { ...parts.batches, shuffle: false } };
  expect(compare(unshuffled, { ...unshuffled, batches: { ...unshuffled.batches, seed: 2 } })).not.toThrow();
  expect(compare(parts, { ...parts, batches: { ...parts.batches, seed: 2 } })).toThrow(
    /seed \(1 then, 2 now\)/,
  );
  const sft = { ...parts, noise: { ...parts.noise, enabled: false } };
  expect(compare(sft, { ...sft, noise: { ...sft.noise, length: 9 } })).not.toThrow();
});

test('8-bit moments are other settings, f32 ones those of checkpoints that do not say', () => {
  const coded: FingerprintParts = { ...parts, optimizer: { ...parts.optimizer, moments: '8bit' } };
  expect(compare(parts, coded)).toThrow(/optimizer\.moments \(none then, 8bit now\)/);
  expect(compare(coded, coded)).not.toThrow();
  expect(fingerprintOf(parts)).not.toHaveProperty('optimizer.moments');
});

test('only a constant rate may be made longer', () => {
  const longer = (name: 'cosine' | 'constant') =>
    compare(
      { ...parts, schedule: { ...parts.schedule, name } },
      { ...parts, schedule: { ...parts.schedule, name, totalSteps: 20 } },
    );
  expect(longer('constant')).not.toThrow();
  expect(longer('cosine')).toThrow(/totalSteps \(10 then, 20 now\)/);
});
