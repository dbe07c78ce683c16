/** `msn bench`: measures a model or a shape, shows the numbers, and compares them with an earlier run. */
import type { Command } from 'commander';
import { compareReports, parsePercentage } from '../bench/compare';
import { readPrompts } from '../bench/prompt-file';
import { readReport, suiteNames } from '../bench/report';
import { runBench } from '../bench/run';
import type { BenchOptions } from '../bench/settings';
import { shapes } from '../bench/shapes';
import { comparisonTable, reportTable } from '../bench/table';
import { abortOnInterrupt, addCommand, type CommonFlags } from './command';
import { exitCodes, Interrupted } from './exit';
import { addOptions, collectOptions, deviceRows, type OptionRow } from './options';
import { printJson, printText } from './output';
import { MakeSomeNoiseError } from '../errors';

interface Flags extends CommonFlags, Record<string, unknown> {
  prompts?: string;
  baseline?: string;
  maxRegression: string;
}

const rows: readonly OptionRow[] = [
  {
    path: 'shape',
    value: '<name>',
    help: `random weights in a known shape: ${Object.keys(shapes).join(', ')}`,
    isText: true,
  },
  { path: 'config', value: '<file>', help: 'random weights in the shape of a config.json', isText: true },
  {
    path: 'suites',
    flag: 'suite',
    value: '<name>',
    help: `${suiteNames.join(', ')}; may be given several times (default: all)`,
    isText: true,
    isList: true,
  },
  ...deviceRows,
  { path: 'dtype', value: '<name>', help: "auto, f32, bf16 or int8 (default: 'auto')", isText: true },
  {
    path: 'repeats',
    value: '<count>',
    help: 'timed repetitions, after one that is not counted (default: 5)',
  },
  {
    path: 'promptTokens',
    value: '<count>',
    help: 'cached tokens before those that are timed (default: 128)',
  },
  { path: 'newTokens', value: '<count>', help: 'tokens of a generation (default: 64)' },
  {
    path: 'nodes',
    value: '<list>',
    help: 'suite verify: nodes of a step (default: [1, 2, 4, 8, 16, 32, 64])',
  },
  { path: 'prefillTokens', value: '<list>', help: 'suite prefill: prompt lengths (default: [64, 192])' },
  { path: 'rows', value: '<count>', help: 'suite train: rows of a step' },
  { path: 'rowTokens', value: '<count>', help: 'suite train: tokens of a row' },
  {
    path: 'trees',
    value: '<list>',
    help: 'suite generate: auto, paper or numbers of nodes (default: [auto, paper])',
  },
  { path: 'seed', value: '<number>', help: 'of random weights and tokens (default: 0)' },
];

export function registerBench(program: Command): void {
  const command = addCommand(program, 'bench', 'measure a model folder, or a shape with random weights', [
    'msn bench path/to/model --suite decode --suite verify',
    'msn bench --shape 135m --suite train --json > before.json',
    'msn bench --shape 135m --suite train --baseline before.json --max-regression 5%',
    'msn bench path/to/model --suite generate --trees "[auto, 8, 16, paper]" --prompts prompts.jsonl',
  ])
    .argument('[model]', 'model folder; without one: --shape or --config')
    .option('--prompts <file>', 'suite generate: a JSONL file of rows {"prompt": "text"}')
    .option('--baseline <file>', 'what an earlier run printed with --json; exit 1 when this one is worse')
    .option('--max-regression <percentage>', 'what a median may lose before it counts as worse', '5%');
  addOptions(command, rows);
  command.action(bench);
}

async function bench(folder: string | undefined, flags: Flags): Promise<void> {
  const limit = parsePercentage('max-regression', flags.maxRegression);
  const baseline = flags.baseline === undefined ? undefined : readReport(flags.baseline);
  const report = await run({
    ...collectOptions(flags, rows),
    ...(folder === undefined ? {} : { model: folder }),
    ...(flags.prompts === undefined ? {} : { prompts: readPrompts(flags.prompts) }),
  });
  const comparison = baseline === undefined ? undefined : compareReports(baseline, report, limit);
  if (flags.json === true) {
    printJson(comparison === undefined ? report : { ...report, comparison });
  } else {
    printText(reportTable(report));
    if (comparison !== undefined) printText(`\n${comparisonTable(comparison, limit)}`);
  }
  if (report.failures.length > 0 || comparison?.passed === false) process.exitCode = exitCodes.failed;
}

async function run(options: BenchOptions): ReturnType<typeof runBench> {
  const interruption = abortOnInterrupt();
  try {
    return await runBench({ ...options, signal: interruption.signal, onProgress: showProgress });
  } catch (error) {
    if (error instanceof MakeSomeNoiseError && error.code === 'ERR_ABORTED') {
      throw new Interrupted('interrupted before the measurements were complete');
    }
    throw error;
  } finally {
    clearProgress();
    interruption.release();
  }
}

/** On one line of the terminal that the next message overwrites. */
function showProgress(message: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
