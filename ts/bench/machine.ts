/** Describes the machine of a run, so that a number can be read later. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { MachineDescription } from './report';

export function describeMachine(now = new Date()): MachineDescription {
  return {
    cpu: cpuName(),
    logicalCores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    version: packageVersion(),
    date: now.toISOString(),
  };
}

function cpuName(): string {
  const model = cpus()[0]?.model.trim();
  return model === undefined || model === '' ? 'unknown' : model;
}

function packageVersion(): string {
  // One level below the root both as source and as built file.
  const path = join(__dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
