/** `msn train`: noisy fine-tuning, or plain fine-tuning, from a job file and options. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { MakeSomeNoiseError } from '../errors';
import {
  train,
  type EvalEvent,
  type TrainingEvent,
  type TrainingResult,
  type TrainingRun,
  type TrainOptions,
} from '../index';
import { renderReport } from '../report/render';
import { reportOfTraining } from '../report/training';
import { addCommand, type CommonFlags } from './command';
import { exitCodes, Interrupted, usageError } from './exit';
import { readJobFile, type JobFile } from './job-file';
import { addOptions, collectOptions, isObject } from './options';
import { count, duration, listing, note, printJson, printText } from './output';
import { startProgress, type Progress } from './progress';
import { trainRows } from './train-options';

const examples = [
  'msn train job.yaml',
  'msn train job.yaml --learning-rate 1e-5 --noise.length 5 --output out/second',
  'msn train --model path/to/model --data train.jsonl --eval-fraction 0.05 --output out/noisy',
  'msn train --model path/to/model --data train.jsonl --noise false --output out/plain',
];

const afterHelp = `
A job file is YAML with the same names, in the spelling of the library:
  model: path/to/model
  data: train.jsonl
  output: out/noisy
  noise: { length: 5, segments: 1 }
  learningRate: 2e-5
Options of the command line override those of the file; paths are relative to the current folder.
Ctrl-C writes a checkpoint and ends with code 130; the same command goes on from there.`;

export function registerTrain(program: Command): void {
  const command = addCommand(program, 'train', 'teach a model to guess several tokens ahead', examples)
    .argument('[config.yaml]', 'job file')
    .addHelpText('after', afterHelp);
  addOptions(command, trainRows);
  command.action(runTrain);
}

async function runTrain(
  file: string | undefined,
  flags: CommonFlags & Record<string, unknown>,
): Promise<void> {
  const names = trainRows.map(({ path }) => path);
  const job = file === undefined ? undefined : readJobFile(file, names);
  const given = collectOptions(flags, trainRows);
  const json = flags.json === true;
  try {
    const result = await followRun({ ...job?.options, ...merged(job, given, flags) }, json);
    printResult(result, json);
  } catch (error) {
    throw placed(error, job, given);
  }
}

/** Nested options of the command line join those of the file. */
function merged(
  job: JobFile | undefined,
  given: Record<string, unknown>,
  flags: Record<string, unknown>,
): Record<string, unknown> {
  if (flags.noise !== undefined && isObject(given.noise)) {
    throw usageError('noise: give either --noise false or options of the noise, not both');
  }
  const joined = { ...given };
  for (const [name, value] of Object.entries(given)) {
    const before = job?.options[name];
    if (isObject(value) && isObject(before) && name !== 'format') joined[name] = { ...before, ...value };
  }
  return joined;
}

/** Runs to the end, or to a checkpoint when it is interrupted. */
async function followRun(options: Record<string, unknown>, json: boolean): Promise<TrainingResult> {
  const controller = new AbortController();
  // The library checks the options; here they are what the user wrote.
  const run = train({ ...options, signal: controller.signal } as unknown as TrainOptions);
  const view = json ? undefined : new TrainView();
  const stopper = saveOnInterrupt(run, controller, view);
  try {
    for await (const event of run) {
      if (view === undefined) printJson(event);
      else view.show(event);
    }
    return await run;
  } catch (error) {
    throw (await stopper.interruption()) ?? error;
  } finally {
    stopper.release();
    view?.end();
  }
}

/** The first SIGINT saves a checkpoint and ends the run, the second ends the process. */
function saveOnInterrupt(
  run: TrainingRun,
  controller: AbortController,
  view: TrainView | undefined,
): { interruption: () => Promise<unknown>; release: () => void } {
  let saving: Promise<unknown> | undefined;
  const interrupt = (): void => {
    if (saving !== undefined) process.exit(exitCodes.interrupted);
    view?.interrupt(() => note('saving a checkpoint; Ctrl-C again ends at once without one'));
    saving = saveAndStop(run, controller);
  };
  process.on('SIGINT', interrupt);
  return {
    interruption: async () => saving,
    release: () => process.off('SIGINT', interrupt),
  };
}

async function saveAndStop(run: TrainingRun, controller: AbortController): Promise<unknown> {
  try {
    await run.pause();
    const path = await run.save();
    return new Interrupted(`interrupted; saved ${path}, and the same command goes on from there`);
  } catch (error) {
    return error;
  } finally {
    controller.abort();
  }
}

/** Lines for what matters, a bar for the steps between. */
class TrainView {
  private progress: Progress | undefined;

  show(event: TrainingEvent): void {
    switch (event.type) {
      case 'step':
        this.progress ??= startProgress(
          'step {value}/{total} {bar} {percentage}%  loss {loss}  {speed} tokens/s  {left} left',
          event.totalSteps,
          true,
          { loss: '', speed: '', left: '' },
        );
        this.progress.update(event.step, {
          loss: event.loss.toFixed(4),
          speed: count(event.tokensPerSecond),
          left: duration(event.remainingMs),
        });
        return;
      case 'eval':
        this.line(evaluationLine(event));
        return;
      case 'checkpoint':
        this.line(`step ${event.step}: saved ${event.path}`);
        return;
      case 'log':
        this.line(event.level === 'warning' ? `warning: ${event.message}` : event.message);
    }
  }

  end(): void {
    this.progress?.stop();
  }

  /** Lets something else write to the terminal. */
  interrupt(print: () => void): void {
    if (this.progress === undefined) print();
    else this.progress.interrupt(print);
  }

  private line(text: string): void {
    this.interrupt(() => printText(text));
  }
}

function evaluationLine({ step, loss, denoisingAccuracy, tokensPerStep }: EvalEvent): string {
  const parts = [`step ${step}: evaluation loss ${loss.toFixed(4)}`];
  if (denoisingAccuracy.length > 0) parts.push(`denoising ${denoisingAccuracy.map(percentage).join(' ')}`);
  if (tokensPerStep !== undefined) parts.push(`${tokensPerStep.toFixed(2)} tokens per step`);
  return parts.join(', ');
}

function percentage(part: number): string {
  return `${(100 * part).toFixed(0)}%`;
}

function printResult(result: TrainingResult, json: boolean): void {
  const { report, ...rest } = result;
  const reportFile = join(result.model, 'report.html');
  writeFileSync(reportFile, renderReport(reportOfTraining(report)));
  if (json) {
    printJson({ type: 'result', ...rest, reportFile, milliseconds: report.timing.totalMs });
    return;
  }
  printText(
    listing([
      ['model', result.model],
      ['steps', count(result.steps)],
      ...(result.evalLoss === undefined ? [] : [['evaluation loss', result.evalLoss.toFixed(4)] as const]),
      ...(result.tokensPerStep === undefined
        ? []
        : [['tokens per step', result.tokensPerStep.toFixed(2)] as const]),
      ['report', reportFile],
      ['time', duration(report.timing.totalMs)],
    ]),
  );
}

/** An error about an option that the job file gave names its line. */
function placed(error: unknown, job: JobFile | undefined, given: Record<string, unknown>): unknown {
  if (!(error instanceof MakeSomeNoiseError) || error.code !== 'ERR_INVALID_ARGUMENT') return error;
  const path = /^([A-Za-z0-9.]+): /.exec(error.message)?.[1];
  const place = path === undefined ? undefined : job?.placeOf(path);
  if (path === undefined || place === undefined || isGiven(given, path)) return error;
  return new MakeSomeNoiseError(error.code, `${place}: ${error.message}`, { cause: error });
}

function isGiven(given: Record<string, unknown>, path: string): boolean {
  return (
    path.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), given) !==
    undefined
  );
}
