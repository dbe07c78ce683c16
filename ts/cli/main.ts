#!/usr/bin/env node
/** `msn`: parses the command line, runs one command, sets the exit code. */
import { createProgram } from './program';
import { reportFailure } from './exit';
import { normalizeFlags } from './options';

async function main(argv: readonly string[]): Promise<void> {
  const words = normalizeFlags(argv);
  try {
    await createProgram().parseAsync(words, { from: 'user' });
  } catch (error) {
    reportFailure(error, words.includes('--json'));
  }
}

// A reader that has seen enough, `msn inspect x | head -3`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}

void main(process.argv.slice(2));
