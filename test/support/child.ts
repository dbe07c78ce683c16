/** Runs TypeScript files of the tests in processes of their own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The exit code, or the signal that ended it. What it prints on stderr is shown. */
export function runChild(file: string, ...args: string[]): Promise<number | string | null> {
  const hook = join(__dirname, 'typescript.cjs');
  const child = spawn(process.execPath, ['-r', hook, file, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? code));
  });
}
