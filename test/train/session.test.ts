import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepEvent, TrainingEvent } from '../../ts/train/events';
import type { TrainingReport } from '../../ts/train/report';
import { readSafetensorsHeader } from '../../ts/model/safetensors';
import { temporaryFolder } from '../support/temporary-folder';
import { fakeSource, type FakeTrainer } from './fake-native';
import { eventsOf, fakeTrain, sha256, writeRows } from './session-support';

function place(): { data: string; output: string } {
  const folder = temporaryFolder();
  return { data: writeRows(folder), output: join(folder, 'out') };
}
const ofType = <Type extends TrainingEvent['type']>(events: TrainingEvent[], type: Type) =>
  events.filter((event): event is Extract<TrainingEvent, { type: Type }> => event.type === type);
const weights = (output: string): string => sha256(join(output, 'model.safetensors'));
const checkpoints = (output: string): string[] =>
  readdirSync(output)
    .filter((name) => name.startsWith('checkpoint-'))
    .sort();

describe('a whole run', () => {
  test('tells every step, keeps the last checkpoints, leaves a model and a report', async () => {
    const { data, output } = place();
    const trainers: FakeTrainer[] = [];
    const run = fakeTrain({ data, output, evalData: data, evalEvery: 8, warmupRatio: 0.1 }, { trainers });
    const events = await eventsOf(run);
    const result = await run;

    const steps = ofType(events, 'step');
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, step) => step + 1));
    expect(steps.map(({ epoch }) => epoch)).toEqual(
      Array.from({ length: 20 }, (_, step) => Math.floor(step / 5)),
    );
    expect(steps[1]!.learningRate).toBeCloseTo(0.005, 12);
    expect(steps[19]).toMatchObject({
      totalSteps: 20,
      remainingMs: 0,
      loss: 1 / 20,
    } satisfies Partial<StepEvent>);
    expect(steps[3]!.tokensPerSecond).toBeGreaterThan(0);
    expect(ofType(events, 'checkpoint').map(({ step }) => step)).toEqual([5, 10, 15, 20]);
    expect(checkpoints(output)).toEqual(['checkpoint-15', 'checkpoint-20']);

    const evaluation = { loss: 2, denoisingAccuracy: [0.8, 0.6, 0.4, 0.2, 0], tokensPerStep: 1.5 };
    expect(ofType(events, 'eval')).toEqual(
      [8, 16, 20].map((step) => ({ type: 'eval', step, ...evaluation })),
    );
    expect(result).toMatchObject({
      model: output,
      steps: 20,
      evalLoss: 2,
      denoisingAccuracy: evaluation.denoisingAccuracy,
      tokensPerStep: 1.5,
    });

    expect(weights(output)).toBe(weights(join(output, 'checkpoint-20')));
    expect(readdirSync(output).sort()).toEqual([
      'checkpoint-15',
      'checkpoint-20',
      'config.json',
      'model.safetensors',
      'training-report.json',
    ]);
    const report = JSON.parse(readFileSync(join(output, 'training-report.json'), 'utf8')) as TrainingReport;
    expect(report).toEqual(JSON.parse(JSON.stringify(result.report)));
    expect(report).toMatchObject({
      status: 'finished',
      totalSteps: 20,
      warmupSteps: 2,
      data: { rowsUsed: 10 },
    });
    expect(report.steps).toHaveLength(20);
    expect(trainers.map(({ disposed }) => disposed)).toEqual([true]);
  });

  test('without evaluation data and checkpoints only steps are told', async () => {
    const { data, output } = place();
    const run = fakeTrain({ data, output, saveEvery: 0, steps: 3 });
    expect((await eventsOf(run)).map(({ type }) => type)).toEqual(['log', 'step', 'step', 'step']);
    expect(await run).toMatchObject({
      evalLoss: undefined,
      tokensPerStep: undefined,
      denoisingAccuracy: undefined,
    });
    expect(checkpoints(output)).toEqual([]);
  });

  test('epochs decide the steps where none are given', async () => {
    const { data, output } = place();
    expect((await fakeTrain({ data, output, steps: undefined, epochs: 2 })).steps).toBe(10);
  });

  test('holds a part out, and says which rows it left out', async () => {
    const { data, output } = place();
    const run = fakeTrain({ data, output, steps: 2, evalFraction: 0.25, sequenceLength: 11 });
    const warnings = ofType(await eventsOf(run), 'log').filter(({ level }) => level === 'warning');
    expect(warnings.map(({ message }) => message.replaceAll(data, 'rows'))).toEqual([
      'data: 2 rows skipped: more tokens than sequenceLength, 11 (rows:9, rows:10)',
    ]);
    expect((await run).report).toMatchObject({
      heldOutRows: 2,
      data: { rowsUsed: 8, skipped: { tooLong: { count: 2 } } },
    });
  });

  test('evaluating does not change the trained weights', async () => {
    const [first, second] = [place(), place()];
    await fakeTrain({ ...first });
    await fakeTrain({ ...second, evalData: second.data, evalEvery: 1 });
    expect(weights(first.output)).toBe(weights(second.output));
  });

  test('the sequence may not exceed the context', async () => {
    await expect(fakeTrain({ ...place(), sequenceLength: 65 })).rejects.toThrow(
      "sequenceLength: expected at most the model's context length, 64, received 65",
    );
  });

  test('a bf16 model keeps its f32 weights beside it in checkpoints', async () => {
    const { data, output } = place();
    await fakeTrain({ data, output }, { source: fakeSource('BF16') });
    const dtypes = async (file: string): Promise<string[]> =>
      (await readSafetensorsHeader(join(output, file))).map(({ dtype }) => dtype);
    expect(await dtypes('model.safetensors')).toEqual(['BF16', 'BF16', 'BF16']);
    expect(await dtypes('checkpoint-20/model.safetensors')).toEqual(['BF16', 'BF16', 'BF16']);
    expect(await dtypes('checkpoint-20/master-weights.safetensors')).toEqual(['F32', 'F32', 'F32']);
    expect(existsSync(join(output, 'master-weights.safetensors'))).toBe(false);
  });
});

describe('going on', () => {
  /** Stops a run behind so many steps. */
  async function interrupt(given: object, steps: number, source = fakeSource()): Promise<void> {
    const controller = new AbortController();
    const run = fakeTrain({ ...given, signal: controller.signal }, { source });
    await expect(
      (async () => {
        for await (const event of run) if (event.type === 'step' && event.step === steps) controller.abort();
      })(),
    ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  }

  test.each(['F32', 'BF16'] as const)('gives the bits of a run without a stop (%s)', async (dtype) => {
    const [whole, stopped] = [place(), place()];
    await fakeTrain(whole, { source: fakeSource(dtype) });
    await interrupt(stopped, 13, fakeSource(dtype));
    expect(checkpoints(stopped.output)).toEqual(['checkpoint-10', 'checkpoint-5']);
    const run = fakeTrain(stopped, { source: fakeSource(dtype) });
    const events = await eventsOf(run);
    expect(ofType(events, 'step').map(({ step }) => step)).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    expect(ofType(events, 'log').at(-1)!.message).toMatch(/^going on from .*checkpoint-10, step 10 of 20$/);
    expect(weights(stopped.output)).toBe(weights(whole.output));
    const { report } = await run;
    expect(report.steps.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, step) => step + 1));
    expect(report.resumedAt).toEqual([10]);
  });

  test('from a checkpoint that is named', async () => {
    const [whole, stopped] = [place(), place()];
    await fakeTrain(whole);
    await interrupt(stopped, 13);
    const run = fakeTrain({ ...stopped, resume: join(stopped.output, 'checkpoint-5') });
    expect(ofType(await eventsOf(run), 'step')).toHaveLength(15);
    expect(weights(stopped.output)).toBe(weights(whole.output));
  });

  test('a run that is done has nothing left to do and gives its result again', async () => {
    const { data, output } = place();
    const first = await fakeTrain({ data, output, evalData: data });
    const again = fakeTrain({ data, output, evalData: data });
    const events = await eventsOf(again);
    expect(events.map(({ type }) => type)).toEqual(['log']);
    expect(events[0]).toMatchObject({
      message: expect.stringMatching(/nothing is left to train$/) as string,
    });
    expect({ ...(await again), report: 0 }).toEqual({ ...first, report: 0 });
  });

  test('a constant rate may go on for longer', async () => {
    const [whole, longer] = [place(), place()];
    const constant = { schedule: 'constant', warmupRatio: 0 };
    await fakeTrain({ ...whole, ...constant });
    await fakeTrain({ ...longer, ...constant, steps: 7 });
    await fakeTrain({ ...longer, ...constant });
    expect(weights(longer.output)).toBe(weights(whole.output));
    await expect(fakeTrain({ ...longer, ...constant, steps: 6 })).rejects.toThrow(
      /has done 20 steps, the run is to have 6/,
    );
  });

  test('with other data or settings it is refused, and nothing is touched', async () => {
    const { data, output } = place();
    await fakeTrain({ data, output });
    const before = weights(output);
    const other = writeRows(join(output, '..'), 'other.jsonl', 4);
    await expect(fakeTrain({ data: other, output })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT',
      message: expect.stringMatching(
        /checkpoint-20: was made with other settings: the training data\. Give the same/,
      ) as string,
    });
    await expect(fakeTrain({ data, output, learningRate: 0.02 })).rejects.toThrow(
      /learningRate \(0\.01 then, 0\.02 now\)/,
    );
    expect(weights(output)).toBe(before);
    expect(checkpoints(output)).toEqual(['checkpoint-15', 'checkpoint-20']);
  });

  test('resume: false begins anew and takes the old checkpoints away', async () => {
    const { data, output } = place();
    await fakeTrain({ data, output });
    const run = fakeTrain({ data, output, resume: false, steps: 6, keepLast: 5 });
    const events = await eventsOf(run);
    expect(events[0]).toMatchObject({
      message: 'removed the earlier checkpoints of steps 15, 20, as resume is false',
    });
    expect(ofType(events, 'step')).toHaveLength(6);
    expect(checkpoints(output)).toEqual(['checkpoint-5', 'checkpoint-6']);
  });

  test('what is no checkpoint is refused', async () => {
    const { data, output } = place();
    await expect(fakeTrain({ data, output, resume: join(output, 'nothing') })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT',
      message: expect.stringMatching(/nothing\/trainer-state\.json: cannot be read: ENOENT/) as string,
    });
    mkdirSync(join(output, 'checkpoint-3'), { recursive: true });
    for (const content of [
      '{',
      '[]',
      '{"version":1}',
      '{"version":2,"step":1,"fingerprint":{},"history":{}}',
    ]) {
      writeFileSync(join(output, 'checkpoint-3', 'trainer-state.json'), content);
      await expect(fakeTrain({ data, output })).rejects.toMatchObject({ code: 'ERR_CHECKPOINT' });
    }
  });

  test('damaged tensors are refused', async () => {
    const { data, output } = place();
    await fakeTrain({ data, output, steps: 5 });
    const file = join(output, 'checkpoint-5', 'second-moments.safetensors');
    writeFileSync(file, readFileSync(file).subarray(0, -1));
    await expect(fakeTrain({ data, output, steps: 5 })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT',
      message: expect.stringMatching(
        /^the checkpoint is damaged: .*second-moments\.safetensors: truncated/,
      ) as string,
    });
  });
});

describe('the output folder', () => {
  test('may not hold a model from elsewhere', async () => {
    const { data, output } = place();
    mkdirSync(output);
    writeFileSync(join(output, 'config.json'), '{}');
    await expect(fakeTrain({ data, output })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: `output: ${output} holds a model that is not from a training run (config.json); choose another folder`,
    });
    expect(readdirSync(output)).toEqual(['config.json']);
  });

  test('may hold other things', async () => {
    const { data, output } = place();
    mkdirSync(output);
    writeFileSync(join(output, 'notes.txt'), 'mine');
    await fakeTrain({ data, output, steps: 1 });
    expect(readFileSync(join(output, 'notes.txt'), 'utf8')).toBe('mine');
  });

  test('must be a folder that can be made and written', async () => {
    const { data, output } = place();
    writeFileSync(output, 'a file');
    for (const unwritable of [output, join(output, 'below')]) {
      await expect(fakeTrain({ data, output: unwritable })).rejects.toMatchObject({
        code: 'ERR_CHECKPOINT',
        message: expect.stringMatching(/^output: .*: cannot be written: E(EXIST|NOTDIR)/) as string,
      });
    }
  });
});

describe('pausing, saving, stopping', () => {
  test('save writes a checkpoint behind the step under way', async () => {
    const { data, output } = place();
    const run = fakeTrain({ data, output, saveEvery: 0, keepLast: 9 }, { behaviour: { stepMs: 5 } });
    for await (const event of run) if (event.type === 'step' && event.step === 3) break;
    const path = await run.save();
    const step = Number(/checkpoint-(\d+)$/.exec(path)![1]);
    expect(step).toBeGreaterThanOrEqual(3);
    expect(existsSync(join(path, 'trainer-state.json'))).toBe(true);
    await run;
    expect(await run.save()).toBe(output);
    expect(ofType(await eventsOf(run), 'checkpoint')).toEqual([{ type: 'checkpoint', step, path }]);
  });

  test('save, then abort, as on Ctrl-C: the run goes on from there to the same bits', async () => {
    const [whole, stopped] = [place(), place()];
    await fakeTrain({ ...whole, saveEvery: 0 });
    const controller = new AbortController();
    const run = fakeTrain(
      { ...stopped, saveEvery: 0, signal: controller.signal },
      { behaviour: { stepMs: 5 } },
    );
    for await (const event of run) if (event.type === 'step' && event.step === 2) break;
    await run.save();
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const report = JSON.parse(
      readFileSync(join(stopped.output, 'training-report.json'), 'utf8'),
    ) as TrainingReport;
    expect(report.status).toBe('aborted');
    await fakeTrain({ ...stopped, saveEvery: 0 });
    expect(weights(stopped.output)).toBe(weights(whole.output));
  });

  test('an abort inside a step ends it at once', async () => {
    const controller = new AbortController();
    const trainers: FakeTrainer[] = [];
    const run = fakeTrain(
      { ...place(), signal: controller.signal },
      { behaviour: { stepMs: 60_000, onStep: () => setTimeout(() => controller.abort(), 5) }, trainers },
    );
    await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(trainers[0]!.disposed).toBe(true);
  });

  test('an abort while a checkpoint is written leaves nothing half-written', async () => {
    const { data, output } = place();
    const controller = new AbortController();
    const run = fakeTrain(
      { data, output, signal: controller.signal },
      {
        behaviour: {
          tensorMs: 20,
          onWrite: (path) => {
            if (path.includes('checkpoint-10')) setTimeout(() => controller.abort(), 5);
          },
        },
      },
    );
    await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(readdirSync(output).sort()).toEqual(['checkpoint-5', 'training-report.json']);
  });

  test('an abort before the start reads nothing', async () => {
    const { data, output } = place();
    await expect(fakeTrain({ data, output, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(readdirSync(output)).toEqual([]);
  });

  test('a failing step ends the run, its last checkpoint stays', async () => {
    const { data, output } = place();
    const run = fakeTrain(
      { data, output },
      {
        behaviour: {
          onStep: (_, step) => {
            if (step === 7) throw new Error('the loss is not finite');
          },
        },
      },
    );
    await expect(run).rejects.toThrow('the loss is not finite');
    expect(checkpoints(output)).toEqual(['checkpoint-5']);
    await fakeTrain({ data, output });
    expect(checkpoints(output)).toEqual(['checkpoint-15', 'checkpoint-20']);
  });
});
