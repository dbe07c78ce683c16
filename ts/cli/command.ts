/** What every command has in common. */
import type { Command } from 'commander';

/** A new command of the program, with `--json` and examples in its help. */
export function addCommand(
  program: Command,
  usage: string,
  description: string,
  examples: readonly string[],
): Command {
  return program
    .command(usage)
    .description(description)
    .option('--json', 'print JSON, and nothing else, on standard output')
    .addHelpText('after', ['', 'Examples:', ...examples.map((example) => `  ${example}`)].join('\n'));
}

/** Options of a command that takes a text; see `readInput`. */
export function addInputOptions(command: Command, name: string): Command {
  return command
    .option('--file <path>', `read the ${name} from a file`)
    .option('--tokens <ids>', "token ids instead of a text: '[1, 17, 42]'");
}

export interface CommonFlags {
  json?: true;
}

/** A signal that SIGINT aborts; a second SIGINT ends the process at once. Call `release` when the work is done. */
export function abortOnInterrupt(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  return { signal: controller.signal, release: () => process.off('SIGINT', interrupt) };
}
