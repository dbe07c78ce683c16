/** `msn doctor`: whether this machine can run makesomenoise, and on what. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { devices, type DeviceInfo } from '../index';
import type { NativeCudaReport } from '../native/contract';
import { loadNative } from '../native/load';
import { addCommand, type CommonFlags } from './command';
import { exitCodes } from './exit';
import { bytes, listing, printJson, printText } from './output';
import { packageVersion } from './version';

interface Diagnosis {
  version: string;
  node: { version: string; required: string };
  platform: string;
  cpu: { model: string; logicalCores: number };
  memory: { totalBytes: number; freeBytes: number };
  native: { path: string | undefined; kind: 'local build' | 'prebuilt' | 'none' };
  cuda: NativeCudaReport | undefined;
  devices: Array<DeviceInfo & { available: boolean }>;
  problems: string[];
}

// Two levels below the root, in dist/cli as in ts/cli.
const packageRoot = join(__dirname, '..', '..');

export function registerDoctor(program: Command): void {
  addCommand(program, 'doctor', 'check this machine: Node, native build, CUDA, devices', [
    'msn doctor',
    'msn doctor --json',
  ]).action((flags: CommonFlags) => {
    const diagnosis = diagnose();
    if (flags.json === true) printJson(diagnosis);
    else printText(describe(diagnosis));
    if (diagnosis.problems.length > 0) process.exitCode = exitCodes.failed;
  });
}

function diagnose(): Diagnosis {
  const problems: string[] = [];
  const required = requiredNode();
  if (!satisfies(process.versions.node, required)) {
    problems.push(`Node ${process.versions.node} is too old; install Node ${required} or newer`);
  }
  let found: Diagnosis['devices'] = [];
  let cuda: Diagnosis['cuda'];
  try {
    found = devices();
    cuda = loadNative().cuda();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  return {
    version: packageVersion(),
    node: { version: process.versions.node, required },
    platform: `${process.platform}-${process.arch}`,
    cpu: { model: cpus()[0]?.model.trim() ?? 'unknown', logicalCores: cpus().length },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    native: findNative(),
    cuda,
    devices: found,
    problems,
  };
}

function requiredNode(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  return manifest.engines.node.replace(/[^\d.]/g, '');
}

function satisfies(version: string, required: string): boolean {
  return version.localeCompare(required, 'en', { numeric: true }) >= 0;
}

/** The file that node-gyp-build picks, as `loadNative` does. */
function findNative(): Diagnosis['native'] {
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const finder = require('node-gyp-build') as { path(root: string): string };
    const file = finder.path(packageRoot);
    return {
      path: file,
      kind: existsSync(join(packageRoot, 'build')) && file.includes('build') ? 'local build' : 'prebuilt',
    };
  } catch {
    return { path: undefined, kind: 'none' };
  }
}

function describe(diagnosis: Diagnosis): string {
  const { cpu, memory, native, problems } = diagnosis;
  const general = listing([
    ['makesomenoise', diagnosis.version],
    ['Node', `${diagnosis.node.version} (at least ${diagnosis.node.required})`],
    ['platform', diagnosis.platform],
    ['processor', `${cpu.model}, ${cpu.logicalCores} logical cores`],
    ['memory', `${bytes(memory.totalBytes)}, ${bytes(memory.freeBytes)} free`],
    ['native build', native.path === undefined ? 'none' : `${native.kind}, ${native.path}`],
  ]);
  const found = diagnosis.devices.map((device) => {
    const shown = device.available ? deviceFacts(device) : 'not available';
    return [device.kind, device.reason === '' ? shown : `${shown}: ${device.reason}`] as const;
  });
  return [
    general,
    ...(diagnosis.cuda === undefined ? [] : [`CUDA\n${indent(listing(cudaFacts(diagnosis.cuda)))}`]),
    ...(found.length === 0 ? [] : [`devices\n${indent(listing(found))}`]),
    problems.length === 0
      ? 'all is well'
      : ['problems:', ...problems.map((problem) => `  ${problem}`)].join('\n'),
  ].join('\n\n');
}

function deviceFacts(device: DeviceInfo): string {
  const { name, instructions, computeCapability, threads, memoryBytes, freeBytes } = device;
  const facts =
    computeCapability === ''
      ? [name, instructions, `${threads} threads`, bytes(memoryBytes)]
      : [name, `compute capability ${computeCapability}`, `${bytes(memoryBytes)}, ${bytes(freeBytes)} free`];
  return facts.join(', ');
}

function cudaFacts(cuda: NativeCudaReport): Array<[string, string]> {
  const { reason, module, architectures, shim, moduleVersion, runtime, driver, library } = cuda;
  if (architectures === '') return [['module', `none: ${reason}`]];
  const kind = shim ? 'the host shim, for tests' : `machine code for ${architectures}`;
  return [
    ['module', `${module}, version ${moduleVersion}, CUDA ${runtime}, ${kind}`],
    ['driver', driver === '' ? `none: ${reason}` : `CUDA ${driver}`],
    ...(library === '' ? [] : [['large products', library] satisfies [string, string]]),
  ];
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
