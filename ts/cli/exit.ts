/** How the command line ends: exit codes, and errors as one line or as JSON. */
import { CommanderError } from 'commander';
import { MakeSomeNoiseError } from '../errors';
import { printJson } from './output';

export const exitCodes = { fine: 0, failed: 1, wrongUsage: 2, interrupted: 130 } as const;

/** The command was interrupted by the user, after it saved or printed what there was. */
export class Interrupted extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Interrupted';
  }
}

/** Words on the command line or in a job file that make no sense together. */
export function usageError(message: string): MakeSomeNoiseError {
  return new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', message);
}

/** Tells the user about an error and sets the exit code. */
export function reportFailure(error: unknown, json: boolean): void {
  const { code, message, exitCode } = describeFailure(error);
  process.exitCode = exitCode;
  if (message === '') return;
  if (json) printJson({ error: { code, message } });
  else process.stderr.write(`${code}: ${message}\n`);
  if (process.env.MSN_DEBUG !== undefined && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
}

function describeFailure(error: unknown): { code: string; message: string; exitCode: number } {
  if (error instanceof CommanderError) {
    // Help and version are asked for, and already printed.
    if (error.exitCode === 0) return { code: '', message: '', exitCode: exitCodes.fine };
    const message = error.code === 'commander.help' ? '' : error.message.replace(/^error: /, '');
    return { code: 'ERR_INVALID_ARGUMENT', message, exitCode: exitCodes.wrongUsage };
  }
  if (error instanceof Interrupted) {
    return { code: 'ERR_ABORTED', message: error.message, exitCode: exitCodes.interrupted };
  }
  if (error instanceof MakeSomeNoiseError) {
    const wrong = error.code === 'ERR_INVALID_ARGUMENT';
    return {
      code: error.code,
      message: error.message,
      exitCode: wrong ? exitCodes.wrongUsage : exitCodes.failed,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'ERR_INTERNAL', message, exitCode: exitCodes.failed };
}
