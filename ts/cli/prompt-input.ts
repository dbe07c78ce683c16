/** Where a command's text comes from: an argument, token ids, a file, or standard input. */
import { readFileSync } from 'node:fs';
import { usageError } from './exit';
import { readValue } from './options';

export interface InputFlags {
  file?: string;
  /** Token ids as YAML: '[1, 2]'. */
  tokens?: string;
}

/** Text, or token ids as the user gave them. */
export type Input = { text: string } | { tokens: number[] };

/**
 * The input that was given; undefined where there is none and standard input is a terminal.
 *
 * @param name of the argument, for messages
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT when it was given twice, or the file cannot be read
 */
export async function readInput(
  name: string,
  argument: string | undefined,
  { file, tokens }: InputFlags,
): Promise<Input | undefined> {
  if ([argument, file, tokens].filter((given) => given !== undefined).length > 1) {
    throw usageError(`${name}: give it as an argument, with --file or with --tokens, only once`);
  }
  // The library checks that these are token ids.
  if (tokens !== undefined) return { tokens: readValue(tokens) as number[] };
  if (argument !== undefined) return { text: argument };
  if (file !== undefined) return { text: readText(file) };
  return process.stdin.isTTY ? undefined : { text: await readStandardInput() };
}

/** @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT where there is no text either */
export async function requireInput(
  name: string,
  argument: string | undefined,
  flags: InputFlags,
): Promise<Input> {
  const input = await readInput(name, argument, flags);
  if (input === undefined || ('text' in input && input.text === '')) {
    throw usageError(`${name}: give a text as argument, with --file or on standard input`);
  }
  return input;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw usageError(`file: ${file}: cannot be read: ${(cause as Error).message}`);
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
