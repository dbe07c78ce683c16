/** `train` on a tiny model and the native engine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createModel } from '../../ts/model/create';
import { loadModel } from '../../ts/model/load';
import { readSafetensorsHeader } from '../../ts/model/safetensors';
import type { StepEvent, TrainingEvent } from '../../ts/train/events';
import { train, type TrainOptions } from '../../ts/train/train';
import { CHAT_VOCABULARY, chatTokenizerFolder } from '../data/support';
import { runChild } from '../support/child';
import { temporaryFolder } from '../support/temporary-folder';
import { sha256 } from './session-support';

const root = temporaryFolder();
const data = join(root, 'rows.jsonl');
const words = ['the', 'user', 'thing', 'as', 'in', 'other', 'sing', 'king'];
writeFileSync(
  data,
  Array.from({ length: 48 }, (_, row) => {
    const [first, second] = [words[row % 8]!, words[(row * 3 + 1) % 8]!];
    return `${JSON.stringify({ prompt: `${first} ${second}`, completion: `${second} ${first} ${second}.` })}\n`;
  }).join(''),
);

/** Folders of the same tiny model, stored as f32 and as bf16. */
const models: Record<'f32' | 'bf16', string> = { f32: join(root, 'f32'), bf16: join(root, 'bf16') };
beforeAll(async () => {
  for (const dtype of ['f32', 'bf16'] as const) {
    await using model = await createModel(
      {
        vocab_size: CHAT_VOCABULARY,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 128,
        tie_word_embeddings: true,
      },
      { seed: 3, dtype, tokenizer: chatTokenizerFolder },
    );
    await model.save(models[dtype]);
  }
});

let runs = 0;
const options = (given: Partial<TrainOptions> = {}): TrainOptions => ({
  model: models.f32,
  data,
  output: join(root, `run-${++runs}`),
  steps: 12,
  batchSize: 4,
  packing: false,
  learningRate: 3e-3,
  threads: 1,
  ...given,
});

async function stepsOf(given: TrainOptions): Promise<StepEvent[]> {
  const steps: StepEvent[] = [];
  for await (const event of train(given)) if (event.type === 'step') steps.push(event);
  return steps;
}
const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const weights = (folder: string): string => sha256(join(folder, 'model.safetensors'));

test('learns: the loss falls, and the result is a model that loads', async () => {
  const run = train(
    options({
      steps: 150,
      packing: true,
      sequenceLength: 128,
      evalFraction: 0.2,
      evalEvery: 75,
      evalNewTokens: 16,
    }),
  );
  const events: TrainingEvent[] = [];
  for await (const event of run) events.push(event);
  const losses = events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
  expect(losses[0]).toBeCloseTo(Math.log(CHAT_VOCABULARY), 0);
  expect(mean(losses.slice(-10))).toBeLessThan(0.5 * losses[0]!);
  const evals = events.flatMap((event) => (event.type === 'eval' ? [event] : []));
  expect(evals.map(({ step }) => step)).toEqual([75, 150]);
  expect(evals[1]!.loss).toBeLessThan(evals[0]!.loss);
  expect(evals[1]!.denoisingAccuracy).toHaveLength(5);
  expect(Math.min(...evals[1]!.denoisingAccuracy)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...evals[1]!.denoisingAccuracy)).toBeLessThanOrEqual(1);
  expect(evals[1]!.tokensPerStep).toBeGreaterThanOrEqual(1);

  const { model: folder, evalLoss } = await run;
  expect(evalLoss).toBe(evals[1]!.loss);
  for (const path of [folder, join(folder, 'checkpoint-150')]) {
    await using model = await loadModel(path);
    expect(model.info).toMatchObject({ layers: 2, dtype: 'f32' });
    expect(model.tokenizer.hasChatTemplate).toBe(true);
  }
});

test.each(['f32', 'bf16'] as const)(
  'a model in memory trains as the folder it came from (%s)',
  async (dtype) => {
    const fromFolder = options({ steps: 3, model: models[dtype] });
    await train(fromFolder);
    await using model = await loadModel(models[dtype]);
    expect(model.info.dtype).toBe(dtype);
    const fromMemory = options({ steps: 3, model });
    await train(fromMemory);
    expect(weights(fromMemory.output)).toBe(weights(fromFolder.output));
  },
);

test('noise changes the inputs and nothing else', async () => {
  const [noisy, plain] = [await stepsOf(options()), await stepsOf(options({ noise: false }))];
  const unchanged = (steps: StepEvent[]) =>
    steps.map(({ step, epoch, learningRate, lossTokens, inputTokens }) => ({
      step,
      epoch,
      learningRate,
      lossTokens,
      inputTokens,
    }));
  expect(unchanged(noisy)).toEqual(unchanged(plain));
  expect(noisy[0]!.loss).not.toBe(plain[0]!.loss);
  expect(noisy[0]!.loss).toBeCloseTo(plain[0]!.loss, 0);
  const other = await stepsOf(options({ noise: { seed: 1 } }));
  expect(other[0]!.loss).not.toBe(noisy[0]!.loss);
  expect((await stepsOf(options()))[11]!.loss).toBe(noisy[11]!.loss);
});

test('two micro-batches of four are one batch of eight', async () => {
  const whole = await stepsOf(options({ batchSize: 8 }));
  const parts = await stepsOf(options({ batchSize: 4, gradientAccumulation: 2 }));
  expect(parts.map(({ lossTokens }) => lossTokens)).toEqual(whole.map(({ lossTokens }) => lossTokens));
  parts.forEach(({ loss, gradientNorm }, step) => {
    expect(Math.abs(loss / whole[step]!.loss - 1)).toBeLessThan(1e-4);
    expect(Math.abs(gradientNorm / whole[step]!.gradientNorm - 1)).toBeLessThan(1e-3);
  });
});

test('evaluating changes no bit of the training', async () => {
  const [without, with_] = [options(), options({ evalData: data, evalEvery: 2, evalNewTokens: 8 })];
  await train(without);
  await train(with_);
  expect(weights(with_.output)).toBe(weights(without.output));
});

/** Runs `train` in a process of its own that is killed when it tells of a step. */
async function killAtStep(given: TrainOptions, step: number): Promise<void> {
  const child = join(__dirname, 'native-child.ts');
  expect(await runChild(child, JSON.stringify(given), `${step}`)).toBe('SIGKILL');
}

test.each(['f32', 'bf16'] as const)(
  'N steps are k steps, a SIGKILL and N - k steps, bit for bit (%s)',
  async (dtype) => {
    const same = {
      model: models[dtype],
      steps: 40,
      saveEvery: 7,
      evalFraction: 0.1,
      evalPrompts: 0,
      packing: true,
      sequenceLength: 64,
    };
    const [whole, killed] = [options(same), options(same)];
    await train(whole);
    await killAtStep(killed, 17);
    await killAtStep(killed, 25);
    const steps = await stepsOf(killed);
    expect(steps[0]!.step).toBe(22);
    expect(weights(killed.output)).toBe(weights(whole.output));
    const state = (run: TrainOptions, file: string): string =>
      sha256(join(run.output, 'checkpoint-40', file));
    for (const file of ['first-moments.safetensors', 'second-moments.safetensors']) {
      expect(state(killed, file)).toBe(state(whole, file));
    }
    const stored = await readSafetensorsHeader(join(killed.output, 'model.safetensors'));
    expect(new Set(stored.map((tensor) => tensor.dtype))).toEqual(new Set([dtype.toUpperCase()]));
    const config = JSON.parse(readFileSync(join(killed.output, 'config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(config.dtype ?? config.torch_dtype).toBe(dtype === 'f32' ? 'float32' : 'bfloat16');
  },
  60_000,
);

test('8-bit moments: the loss follows that of f32 moments, and a killed run ends with the same bits', async () => {
  const same: Partial<TrainOptions> = { steps: 30, saveEvery: 7, optimizer: { moments: '8bit' } };
  const [whole, killed] = [options(same), options(same)];
  const losses = (await stepsOf(whole)).map(({ loss }) => loss);
  await killAtStep(killed, 17);
  await train(killed);
  expect(weights(killed.output)).toBe(weights(whole.output));
  for (const file of ['first-moments.safetensors', 'second-moments.safetensors']) {
    const [one, other] = [killed, whole].map(({ output }) => sha256(join(output, 'checkpoint-30', file)));
    expect(one).toBe(other);
  }
  const exact = (await stepsOf(options({ steps: 30 }))).map(({ loss }) => loss);
  losses.forEach((loss, step) => expect(Math.abs(loss / exact[step]! - 1)).toBeLessThan(0.02));
  expect(losses).not.toEqual(exact);
});

test('gradient checkpointing changes no bit, and may be switched on between two sessions', async () => {
  const plain = options({ saveEvery: 5 });
  const before = await stepsOf(plain);
  const switched = options({ saveEvery: 5, steps: 12 });
  await killAtStep(switched, 8);
  const steps = await stepsOf({ ...switched, gradientCheckpointing: true });
  expect(steps[0]!.step).toBe(6);
  expect(steps.map(({ loss, gradientNorm }) => ({ loss, gradientNorm }))).toEqual(
    before.slice(5).map(({ loss, gradientNorm }) => ({ loss, gradientNorm })),
  );
  expect(weights(switched.output)).toBe(weights(plain.output));
});

test('an abort ends a run inside a step', async () => {
  const controller = new AbortController();
  const run = train(options({ steps: 100_000, signal: controller.signal }));
  for await (const event of run) if (event.type === 'step' && event.step === 3) break;
  controller.abort(new Error('enough'));
  await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
});

test('wrong options, a missing model and wrong data reject', async () => {
  await expect(train({ ...options(), noise: { length: 0 } })).rejects.toThrow(
    'noise.length: expected an integer from 1 to 64, received 0',
  );
  await expect(train({ ...options(), model: 7 as never })).rejects.toThrow(
    'model: expected the path of a model folder, or a Model, received 7',
  );
  await expect(train(options({ model: join(root, 'missing') }))).rejects.toMatchObject({
    code: 'ERR_MODEL_FORMAT',
  });
  await expect(train(options({ data: join(root, 'missing.jsonl') }))).rejects.toMatchObject({
    code: 'ERR_DATA',
  });
  await expect(train(options({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
    code: 'ERR_ABORTED',
  });
});
