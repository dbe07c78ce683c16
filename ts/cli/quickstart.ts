/** `msn quickstart`: the whole method on a small model, in minutes. */
import type { Command } from 'commander';
import { compareModels, PAPER, RESULT_COLUMNS, resultRows, signed } from '../quickstart/figures';
import { figuresOf, type QuickstartResult } from '../quickstart/result';
import { runQuickstart, type QuickstartOptions, type QuickstartProgress } from '../quickstart/run';
import { abortOnInterrupt, addCommand, type CommonFlags } from './command';
import { Interrupted } from './exit';
import { addOptions, collectOptions, type OptionRow } from './options';
import { bold, count, duration, listing, printJson, printText, table } from './output';
import { startProgress, type Progress } from './progress';

const rows: readonly OptionRow[] = [
  {
    path: 'output',
    value: '<folder>',
    help: 'for data, models and report (default: out/quickstart)',
    isText: true,
  },
  { path: 'seed', value: '<integer>', help: 'of data, weights, order and noise (default: 0)' },
  { path: 'threads', value: '<count>', help: 'threads of the CPU engine (default: one per physical core)' },
];

interface Flags extends CommonFlags, Record<string, unknown> {
  quick?: true;
}

const PHASES: Readonly<Record<QuickstartProgress['phase'], string>> = {
  base: '1/5 training a base model from scratch',
  sft: '2/5 fine-tuning without noise (SFT)',
  noisy: '3/5 fine-tuning with noise',
  'evaluate-sft': '4/5 measuring SFT',
  'evaluate-noisy': '5/5 measuring noisy',
};

export function registerQuickstart(program: Command): void {
  const command = addCommand(
    program,
    'quickstart',
    'train a small model with and without noise, and measure what noise brings (minutes)',
    ['msn quickstart', 'msn quickstart --output out/again --seed 1', 'msn quickstart --quick --json'],
  ).option('--quick', 'everything tiny, to see that it runs; the models learn nothing');
  addOptions(command, rows);
  command.action(quickstart);
}

async function quickstart(flags: Flags): Promise<void> {
  const json = flags.json === true;
  const view = new PhaseView(!json);
  const interruption = abortOnInterrupt();
  try {
    const result = await runQuickstart({
      output: 'out/quickstart',
      ...(collectOptions(flags, rows) as Partial<QuickstartOptions>),
      quick: flags.quick === true,
      signal: interruption.signal,
      onProgress: (progress) => view.show(progress),
    });
    view.end();
    if (json) printJson(jsonOf(result));
    else printText(describe(result));
  } catch (error) {
    throw interruption.signal.aborted ? new Interrupted('interrupted; the quickstart begins anew') : error;
  } finally {
    view.end();
    interruption.release();
  }
}

/** A bar for each phase, and a line when it is done. */
class PhaseView {
  private phase: QuickstartProgress['phase'] | undefined;
  private progress: Progress | undefined;
  private started = 0;

  constructor(private readonly isShown: boolean) {}

  show({ phase, done, total, loss, tokensPerSecond }: QuickstartProgress): void {
    if (!this.isShown) return;
    if (phase !== this.phase) this.begin(phase, total);
    const elapsed = performance.now() - this.started;
    this.progress?.update(done, {
      facts: loss === undefined ? '' : `  loss ${loss.toFixed(3)}  ${count(tokensPerSecond ?? 0)} tokens/s`,
      left: duration((elapsed / done) * (total - done)),
    });
  }

  end(): void {
    this.progress?.stop();
    this.progress = undefined;
    if (this.phase === undefined) return;
    printText(`${PHASES[this.phase].padEnd(40)} ${duration(performance.now() - this.started)}`);
    this.phase = undefined;
  }

  private begin(phase: QuickstartProgress['phase'], total: number): void {
    this.end();
    this.phase = phase;
    this.started = performance.now();
    this.progress = startProgress(`${PHASES[phase]} {bar} {value}/{total}{facts}  {left} left`, total, true, {
      facts: '',
      left: '',
    });
  }
}

function describe(result: QuickstartResult): string {
  const { gain, exactMatch, evaluationLoss } = compareModels(result);
  const { sft, noisy } = result;
  const [before, after] = [figuresOf(sft, PAPER), figuresOf(noisy, PAPER)];
  return [
    '',
    table(RESULT_COLUMNS, resultRows(result)),
    '',
    `Noise brings ${bold(`${after.tokensPerStep.toFixed(2)} tokens per step`)} instead of ${before.tokensPerStep.toFixed(2)} ` +
      `(${gain.toFixed(2)} ×, TR-Jacobi with the paper's tree).`,
    `Its price: ${signed(exactMatch, 3)} exact match, ${signed(evaluationLoss, 4)} evaluation loss.`,
    '',
    listing([
      ['plain model', sft.folder],
      ['noisy model', noisy.folder],
      ['report', result.report],
      ['time', duration(result.milliseconds)],
    ]),
  ].join('\n');
}

/** Without the curves, which the models' folders and the report hold. */
function jsonOf(result: QuickstartResult): unknown {
  const model = ({ training: _training, samples: _samples, ...figures }: QuickstartResult['sft']): unknown =>
    figures;
  const { training: _training, ...base } = result.base;
  return {
    ...result,
    base,
    sft: model(result.sft),
    noisy: model(result.noisy),
    comparison: compareModels(result),
  };
}
