/** `msn denoise`: shows how a noisy segment becomes text, pass by pass. */
import type { Command } from 'commander';
import { denoise, type DenoiseOptions, type DenoiseResult, type Model } from '../index';
import { abortOnInterrupt, addCommand, addInputOptions, type CommonFlags } from './command';
import { loadWithProgress } from './model-loading';
import { addOptions, collectOptions, modelRows, type OptionRow } from './options';
import { dim, printJson, printText } from './output';
import { requireInput, type InputFlags } from './prompt-input';

const rows: readonly OptionRow[] = [
  { path: 'noise.length', value: '<tokens>', help: 'tokens of the noisy segment (default: 5)' },
  { path: 'noise.seed', value: '<integer>', help: 'seed of the noise (default: 0)' },
  { path: 'noisy', value: '<ids>', help: "token ids to begin with instead of noise, '[5, 9, 2]'" },
  { path: 'maxIterations', value: '<count>', help: 'passes at most (default: until nothing changes)' },
];

interface Flags extends CommonFlags, InputFlags, Record<string, unknown> {
  file?: string;
  tokens?: string;
}

export function registerDenoise(program: Command): void {
  const command = addCommand(program, 'denoise', 'watch a noisy segment become text, pass by pass', [
    'msn denoise path/to/model "Once upon a"',
    'msn denoise path/to/model "Once upon a" --noise.length 8 --noise.seed 3 --max-iterations 4',
  ])
    .argument('<model>', 'model folder')
    .argument('[prefix]', 'text in front of the segment; without one: --file or standard input');
  addInputOptions(command, 'prefix');
  addOptions(command, [...rows, ...modelRows]);
  command.action(runDenoise);
}

async function runDenoise(folder: string, argument: string | undefined, flags: Flags): Promise<void> {
  const input = await requireInput('prefix', argument, flags);
  const prefix = 'text' in input ? input.text : input.tokens;
  const options = collectOptions(flags, rows) as Omit<DenoiseOptions, 'prefix'>;
  await using model = await loadWithProgress(folder, flags);
  const interruption = abortOnInterrupt();
  try {
    const result = await denoise(model, { ...options, prefix, signal: interruption.signal });
    if (flags.json === true) printJson(result);
    else printText(await describeResult(model, result));
  } finally {
    interruption.release();
  }
}

async function describeResult(model: Model, result: DenoiseResult): Promise<string> {
  const lines = await Promise.all(
    result.trajectory.map(async (tokens, pass) => {
      const name = pass === 0 ? 'noise' : `pass ${pass}`;
      return `${name.padEnd(8)} ${await segmentText(model, tokens)}`;
    }),
  );
  const length = result.tokens.length;
  return [
    ...lines,
    dim(
      `${result.matched} of ${length} tokens are those of autoregressive decoding, ${result.iterations} passes` +
        (result.fixedPoint ? '' : ', not yet the last'),
    ),
  ].join('\n');
}

/** On one line, token by token where there is a tokenizer. */
async function segmentText(model: Model, tokens: Int32Array): Promise<string> {
  if (!model.hasTokenizer) return tokens.join(' ');
  const texts = await Promise.all(
    Array.from(tokens, (token) => model.tokenizer.decode([token], { skipSpecialTokens: false })),
  );
  return texts.map((text) => JSON.stringify(text).slice(1, -1)).join('|');
}
