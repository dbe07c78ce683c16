/** Describes the machine of a run, so that a number can be read later. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { packageVersion } from '../cli/version';
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
