/** The CUDA engine's trainer beneath the facade: gradients against float64, moments against the CPU's. */
import { join } from 'node:path';
import { loadNative } from '../../ts/native/load';
import type { NativeMicroBatch, NativeTrainer, NativeTrainerOptions } from '../../ts/native/contract';
import { describeCudaShared } from '../support/cuda';
import { folderShape, modelFolder } from '../support/models';
import { Safetensors, tensorTable } from '../support/safetensors';
import { packRows } from '../support/trainer';
import { readTrainingReference, referenceOptimizer, trainingModels } from '../support/training-reference';

const native = loadNative();

async function withTrainer<Result>(
  model: string,
  device: string,
  different: Partial<NativeTrainerOptions>,
  use: (trainer: NativeTrainer) => Promise<Result>,
): Promise<Result> {
  const folder = modelFolder(model);
  const trainer = await native.createTrainer(
    folderShape(folder),
    tensorTable(folder),
    undefined,
    {
      optimizer: { ...referenceOptimizer, clipNorm: 1, moments: 'f32' },
      noise: { enabled: false, kind: 'ahead', length: 3, segments: 1, seed: 0 },
      gradientCheckpointing: false,
      dtype: 'auto',
      ...different,
    },
    { device, threads: 1, instructions: '' },
    native.createCancelToken(),
  );
  try {
    return await use(trainer);
  } finally {
    trainer.dispose();
  }
}

const step = (trainer: NativeTrainer, batches: NativeMicroBatch[], epoch = 0) =>
  trainer.step(batches, epoch, 0.001, native.createCancelToken());
const length = (values: Float64Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** Two documents in one micro-batch, and two micro-batches in one step. */
function cases(model: string): Record<string, NativeMicroBatch[]> {
  const { batch, packed, accumulation, noised } = readTrainingReference(model);
  const cut = (values: number[]): number[][] => {
    let begin = 0;
    return packed.document_lengths.map((size) => values.slice(begin, (begin += size)));
  };
  return {
    step1: [packRows(batch.input_ids, batch.labels)],
    packed: [packRows(cut(packed.input_ids), cut(packed.labels))],
    accumulation: accumulation.micro_batches.map((rows) => packRows(rows.input_ids, rows.labels)),
    noised: [packRows(noised.input_ids, batch.labels)],
  };
}

describeCudaShared.each(trainingModels)('the CUDA trainer on %s', (model) => {
  // The gradient of a key's bias is almost zero, as the softmax does not see it: the whole gradient counts too.
  test('every gradient within 6 % of its length and 0.2 % of the whole', async () => {
    const expected = new Safetensors(join(modelFolder(model), 'training.safetensors'));
    for (const [name, batches] of Object.entries(cases(model))) {
      await withTrainer(model, 'cuda', {}, async (trainer) => {
        const { gradientNorm } = await step(trainer, batches);
        for (const spec of trainer.tensorSpecs()) {
          const want = Float64Array.from(expected.values(`${name}.grad.${spec.name}`));
          const got = trainer.gradient(spec.name);
          const error = length(want.map((value, index) => value - got[index]!));
          if (!(error < 0.06 * length(want) + 0.002 * gradientNorm))
            throw new Error(`${name} ${spec.name}: off by ${error}, length ${length(want)}`);
        }
      });
    }
  });
});

describeCudaShared('the noise of the CUDA trainer', () => {
  test('is that of the CPU: the same evaluation counts the same places', async () => {
    const [model] = trainingModels as [string];
    const batch = cases(model).step1![0]!;
    const noise = { enabled: true, kind: 'ahead', length: 3, segments: 2, seed: 5 } as const;
    const evaluations = await Promise.all(
      ['cpu', 'cuda'].map((device) =>
        withTrainer(model, device, {}, (trainer) =>
          trainer.evaluate(batch, noise, native.createCancelToken()),
        ),
      ),
    );
    const [cpu, cuda] = evaluations as [(typeof evaluations)[0], (typeof evaluations)[0]];
    expect(cuda.counted).toEqual(cpu.counted);
    expect(cuda.lossTokens).toBe(cpu.lossTokens);
    expect(Math.abs(cuda.lossSum / cpu.lossSum - 1)).toBeLessThan(0.004);
  });
});
