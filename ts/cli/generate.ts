/** `msn generate`: text from a prompt, or a chat in the terminal. */
import type { Command } from 'commander';
import {
  generate,
  type ChatMessage,
  type GenerateOptions,
  type GenerationChunk,
  type GenerationStatistics,
  type Model,
  type Prompt,
} from '../index';
import { chat } from './chat';
import { abortOnInterrupt, addCommand, addInputOptions, type CommonFlags } from './command';
import { Interrupted, usageError } from './exit';
import { generateCommandRows, generateRows } from './generate-options';
import { loadWithProgress } from './model-loading';
import { addOptions, collectOptions } from './options';
import { dim, note, printJson } from './output';
import { readInput, type Input, type InputFlags } from './prompt-input';

const examples = [
  'msn generate path/to/model                         chat in the terminal',
  'msn generate path/to/model "Once upon a time"',
  'msn generate path/to/model --file prompt.txt --max-new-tokens 64',
  'echo "Once upon" | msn generate path/to/model --temperature 0.8 --seed 7 --json',
  'msn generate path/to/model "Hello" --method autoregressive',
];

interface Flags extends CommonFlags, InputFlags, Record<string, unknown> {
  file?: string;
  tokens?: string;
  system?: string;
  raw?: true;
}

export function registerGenerate(program: Command): void {
  const command = addCommand(program, 'generate', 'write text, several tokens per step', examples)
    .argument('<model>', 'model folder')
    .argument('[prompt]', 'text; without one: --file, standard input, or a chat when that is a terminal')
    .option('--system <text>', 'system message in front of the prompt')
    .option('--raw', 'continue the prompt as it is, without the chat template of the model');
  addInputOptions(command, 'prompt');
  addOptions(command, generateCommandRows);
  command.action(runGenerate);
}

async function runGenerate(folder: string, argument: string | undefined, flags: Flags): Promise<void> {
  if (flags.raw === true && flags.system !== undefined) {
    throw usageError('system: a raw prompt has no system message; leave out --raw or --system');
  }
  const input = await readInput('prompt', argument, flags);
  if (input === undefined && flags.json === true) {
    throw usageError('prompt: with --json give a text as argument, with --file or on standard input');
  }
  const options = collectOptions(flags, generateRows) as GenerateOptions;
  await using model = await loadWithProgress(folder, flags);
  if (input === undefined) await chat(model, options, flags);
  else await complete(model, { ...options, ...promptOptions(model, input, flags) }, flags.json === true);
}

/** A user's message where the model has a chat template, else the text itself. */
function promptOptions(model: Model, input: Input, flags: Flags): Prompt {
  if ('tokens' in input) return { tokens: input.tokens };
  if (isChatModel(model) && flags.raw !== true) {
    return { messages: [...systemMessages(flags.system), { role: 'user', content: input.text }] };
  }
  if (flags.system === undefined) return { prompt: input.text };
  throw usageError('system: this model has no chat template; leave out --system');
}

export function isChatModel(model: Model): boolean {
  return model.hasTokenizer && model.tokenizer.hasChatTemplate;
}

export function systemMessages(system: string | undefined): ChatMessage[] {
  return system === undefined ? [] : [{ role: 'system', content: system }];
}

async function complete(model: Model, options: GenerateOptions, json: boolean): Promise<void> {
  const interruption = abortOnInterrupt();
  try {
    const generation = generate(model, { ...options, signal: interruption.signal });
    if (!json) for await (const chunk of generation) process.stdout.write(chunkText(model, chunk));
    const result = await generation;
    if (json) {
      printJson(result);
    } else {
      process.stdout.write('\n');
      note(dim(statisticsLine(result.stats, result.finishReason), process.stderr));
    }
    if (result.finishReason === 'aborted') throw new Interrupted('');
  } finally {
    interruption.release();
  }
}

/** Without a tokenizer the token ids. */
function chunkText(model: Model, { text, tokens }: GenerationChunk): string {
  return model.hasTokenizer ? text : `${tokens.join(' ')} `;
}

/** '40 tokens in 14 steps: 2.86 per step, 85.3 tokens/s, prompt of 12 tokens in 9 ms' */
export function statisticsLine(stats: GenerationStatistics, finishReason: string): string {
  const parts = [
    `${stats.newTokens} tokens in ${stats.steps} steps: ${stats.tokensPerStep.toFixed(2)} per step`,
    `${stats.tokensPerSecond.toFixed(1)} tokens/s`,
    `prompt of ${stats.promptTokens} tokens in ${stats.prefillMs.toFixed(0)} ms`,
  ];
  if (finishReason === 'length') parts.push('ended at the token limit');
  return parts.join(', ');
}
