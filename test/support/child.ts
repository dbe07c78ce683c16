/** Runs TypeScript files of the tests in processes of their own. */
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const hook = join(__dirname, 'typescript.cjs');

/** The exit code, or the signal that ended it. What it prints on stderr is shown. */
export function runChild(file: string, ...args: string[]): Promise<number | string | null> {
  const child = spawn(process.execPath, ['-r', hook, file, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
}

/** This process's environment, but its MSN_* variables are exactly those among `variables`. */
export function environment(variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MSN_'));
  return { ...Object.fromEntries(inherited), ...variables };
}

/** What a file prints on stdout, as JSON, in an environment() with `variables`. Rejects when it fails. */
export async function askChild<Answer>(
  file: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<Answer> {
  const env = environment(variables);
  const { stdout } = await promisify(execFile)(process.execPath, ['-r', hook, file, ...args], { env });
  return JSON.parse(stdout) as Answer;
}
