/** `msn score`: how likely a model finds a text. */
import type { Command } from 'commander';
import { score, type Model, type ScoreResult } from '../index';
import { abortOnInterrupt, addCommand, addInputOptions, type CommonFlags } from './command';
import { loadWithProgress } from './model-loading';
import { addOptions, modelRows } from './options';
import { listing, printJson, printText, table } from './output';
import { requireInput, type InputFlags } from './prompt-input';

interface Flags extends CommonFlags, InputFlags, Record<string, unknown> {
  file?: string;
  tokens?: string;
  byToken?: true;
}

export function registerScore(program: Command): void {
  const command = addCommand(program, 'score', 'tell how likely a model finds a text', [
    'msn score path/to/model "The cat sat on the mat."',
    'msn score path/to/model --file story.txt --json',
    'msn score path/to/model "The cat sat." --by-token',
  ])
    .argument('<model>', 'model folder')
    .argument('[text]', 'text; without one: --file or standard input')
    .option('--by-token', 'list every token');
  addInputOptions(command, 'text');
  addOptions(command, modelRows);
  command.action(runScore);
}

async function runScore(folder: string, argument: string | undefined, flags: Flags): Promise<void> {
  const input = await requireInput('text', argument, flags);
  await using model = await loadWithProgress(folder, flags);
  const interruption = abortOnInterrupt();
  try {
    const result = await score(model, { ...input, signal: interruption.signal });
    if (flags.json === true) {
      printJson(result);
      return;
    }
    if (flags.byToken === true) printText(`${await tokenTable(model, result)}\n`);
    const sum = result.logProbabilities.reduce((total, value) => total + value, 0);
    printText(
      listing([
        ['scored tokens', String(result.logProbabilities.length)],
        ['log probability', sum.toFixed(3)],
        ['perplexity', result.perplexity.toFixed(3)],
      ]),
    );
  } finally {
    interruption.release();
  }
}

async function tokenTable(model: Model, { tokens, logProbabilities }: ScoreResult): Promise<string> {
  const shown = await Promise.all(
    Array.from(tokens.subarray(1), async (token) =>
      model.hasTokenizer
        ? JSON.stringify(await model.tokenizer.decode([token], { skipSpecialTokens: false }))
        : String(token),
    ),
  );
  const rows = shown.map((token, index) => {
    const logProbability = logProbabilities[index]!;
    return [token, logProbability.toFixed(3), `${(100 * Math.exp(logProbability)).toFixed(1)} %`];
  });
  return table(['token', 'log probability', 'probability'], rows);
}
