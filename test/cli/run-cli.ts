/** Runs the built command line as a user would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createModel } from '../../ts/index';
import { writeTokenizer } from '../../ts/quickstart/tokenizer';

export const mainFile = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliProcess {
  child: ChildProcess;
  done: Promise<CliResult>;
}

/** @param input standard input, which is a pipe that ends */
export function startCli(words: readonly string[], input = '', env?: NodeJS.ProcessEnv): CliProcess {
  const child = spawn(process.execPath, [mainFile, ...words], { stdio: 'pipe', env });
  const done = new Promise<CliResult>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return { child, done };
}

export const runCli = (words: readonly string[], input = '', env?: NodeJS.ProcessEnv): Promise<CliResult> =>
  startCli(words, input, env).done;

/** Saves an untrained model with the quickstart's tokenizer into `folder`. */
export async function saveTinyModel(folder: string): Promise<void> {
  const tokenizer = `${folder}-tokenizer`;
  writeTokenizer(tokenizer, 128);
  await using model = await createModel(
    {
      vocab_size: 128,
      hidden_size: 32,
      intermediate_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      max_position_embeddings: 128,
      tie_word_embeddings: true,
      eos_token_id: 3,
    },
    { tokenizer, initializerRange: 0.5, threads: 1 },
  );
  await model.save(folder);
}
