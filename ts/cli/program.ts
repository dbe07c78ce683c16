/** The commands of `msn`. */
import { Command } from 'commander';
import { registerBench } from './bench';
import { registerDenoise } from './denoise';
import { registerDoctor } from './doctor';
import { registerGenerate } from './generate';
import { registerInspect } from './inspect';
import { registerQuickstart } from './quickstart';
import { registerScore } from './score';
import { registerTrain } from './train';
import { packageVersion } from './version';

/** The program; it throws CommanderError where commander would exit. */
export function createProgram(): Command {
  const program = new Command('msn')
    .description('Noisy fine-tuning and TR-Jacobi decoding: several tokens per step, the same text')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError();
  registerQuickstart(program);
  registerTrain(program);
  registerGenerate(program);
  registerDenoise(program);
  registerScore(program);
  registerBench(program);
  registerInspect(program);
  registerDoctor(program);
  return program;
}
