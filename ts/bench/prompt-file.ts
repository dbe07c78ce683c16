/** Prompts for the suite generate from a JSONL file. */
import { readFileSync } from 'node:fs';
import { MakeSomeNoiseError } from '../errors';

/** Throws ERR_DATA, naming file and line, for anything but rows `{"prompt": "text"}`. */
export function readPrompts(path: string): string[] {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    throw malformed(path, (cause as Error).message, cause);
  }
  const prompts = content.split('\n').flatMap((line, index) => {
    return line.trim() === '' ? [] : [promptOf(line, path, index + 1)];
  });
  if (prompts.length === 0) throw malformed(path, 'no prompts');
  return prompts;
}

function promptOf(line: string, path: string, number: number): string {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw malformed(path, `line ${number} is no JSON`, cause);
  }
  const prompt = (row as { prompt?: unknown } | null)?.prompt;
  if (typeof prompt !== 'string') throw malformed(path, `line ${number} has no prompt`);
  return prompt;
}

const malformed = (path: string, what: string, cause?: unknown): MakeSomeNoiseError =>
  new MakeSomeNoiseError('ERR_DATA', `${path}: ${what}; expected rows {"prompt": "text"}`, { cause });
