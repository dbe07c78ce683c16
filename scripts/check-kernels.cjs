'use strict';
// Compiles all kernels with nvcc, without a GPU, and prints what each takes of a multiprocessor:
//   node scripts/check-kernels.cjs
// Fails when a kernel spills registers or keeps an array in local memory, which only `tolerated` may; and, where
// cuobjdump is (CUOBJDUMP, beside nvcc, PATH), when machine-code.cjs finds fault with a kernel's wait for its inputs.
// Where there is no nvcc it says so and checks nothing.
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const fs = require('node:fs');
const { checkWaits, findCuobjdump } = require('./machine-code.cjs');
const { findNvcc } = require('./nvcc.cjs');

const root = path.join(__dirname, '..');

/** Kernels off every hot path that may use local memory: { kernel: /name/, reason }. */
const tolerated = [
  {
    kernel: /^rotary\.cu: rotary_kernel$/,
    reason: 'CUDA reduces angles above 105615 with a small array, inside its cos and sin; once a pass',
  },
];

const columns = ['80', '86', '89', '90a', '100', '120'];

function demangled(names) {
  const { stdout, status } = spawnSync('c++filt', { input: names.join('\n'), encoding: 'utf8' });
  const full = status === 0 ? stdout.trimEnd().split('\n') : names;
  // "void msn::kernels::_GLOBAL__N__...::norm_kernel<8, true>(Args)" becomes "norm_kernel<8, true>".
  return full.map((name) =>
    name
      .replace(/\((?!anonymous).*$/, '')
      .replace(/^\w+ (?=\S*::)/, '')
      .replace(/^(?:\w+::|\(anonymous namespace\)::)+/, ''),
  );
}

/** One entry a function and architecture of what keep-ptxas-report.cjs kept. */
function parseReport(text) {
  const functions = [];
  let architecture = '';
  let current;
  for (const line of text.split('\n')) {
    const entry = /Compiling entry function '(\S+)' for 'sm_(\w+)'/.exec(line);
    if (entry) architecture = entry[2];
    const properties = /Function properties for (\S+)/.exec(line);
    if (properties) {
      current = { name: properties[1], architecture, registers: 0, stack: 0, spilled: 0 };
      functions.push(current);
    }
    const memory = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    if (memory && current) {
      current.stack = Number(memory[1]);
      current.spilled = Number(memory[2]) + Number(memory[3]);
    }
    const used = /Used (\d+) registers/.exec(line);
    if (used && current) current.registers = Number(used[1]);
  }
  return functions;
}

function readReports() {
  const folder = path.join(root, 'build', 'CMakeFiles', 'msn_cuda_kernels.dir', 'kernels');
  const sources = fs.readdirSync(path.join(root, 'kernels')).filter((name) => name.endsWith('.cu'));
  return sources.flatMap((source) => {
    const file = path.join(folder, `${source}.o.ptxas`);
    const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
    return parseReport(text).map((report) => ({ ...report, source }));
  });
}

/** Kernels by name, with their numbers by architecture. */
function byKernel(reports) {
  const names = demangled(reports.map(({ name }) => name));
  const kernels = new Map();
  reports.forEach((report, i) => {
    const key = `${report.source}: ${names[i]}`;
    if (!kernels.has(key)) kernels.set(key, new Map());
    kernels.get(key).set(report.architecture, report);
  });
  return kernels;
}

function printTable(kernels) {
  const width = Math.max(...[...kernels.keys()].map((name) => name.length));
  const cell = (text) => String(text).padStart(5);
  console.log(`${'registers by architecture'.padEnd(width)} ${columns.map(cell).join('')}  local bytes`);
  for (const [name, reports] of kernels) {
    const registers = columns.map((column) => cell(reports.get(column)?.registers ?? '-'));
    const local = Math.max(...[...reports.values()].map(({ stack, spilled }) => stack + spilled));
    console.log(`${name.padEnd(width)} ${registers.join('')}  ${local === 0 ? '' : local}`);
  }
}

const nvcc = findNvcc();
if (!nvcc) {
  console.log('skipped: no nvcc was found (CUDACXX, CUDA_HOME, PATH), so that the kernels were not compiled');
  process.exit(0);
}
const build = [path.join(__dirname, 'build-native.cjs'), '--cuda', '--target=makesomenoise_cuda'];
const { status } = spawnSync(process.execPath, build, { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const kernels = byKernel(readReports());
if (kernels.size === 0) {
  console.error('the build left no report of ptxas; remove build/ and try again');
  process.exit(1);
}
printTable(kernels);
let failed = 0;
const used = new Set();
for (const [name, reports] of kernels) {
  const local = [...reports.values()].filter(({ stack, spilled }) => stack + spilled > 0);
  if (local.length === 0) continue;
  const exception = tolerated.find(({ kernel }) => kernel.test(name));
  if (exception) {
    used.add(exception);
    console.log(`tolerated: ${name}: ${exception.reason}`);
    continue;
  }
  ++failed;
  const where = local.map(
    (report) => `${report.architecture}: ${report.stack} bytes of stack, ${report.spilled} spilled`,
  );
  console.log(`FAILED  ${name} (${where.join('; ')})`);
}
for (const exception of tolerated.filter((entry) => !used.has(entry))) {
  ++failed;
  console.log(`FAILED  ${exception.kernel} is tolerated without need`);
}
console.log(`${kernels.size - failed} passed, ${failed} failed`);
const cuobjdump = findCuobjdump(nvcc);
if (cuobjdump) {
  const waits = checkWaits(cuobjdump, path.join(root, 'build', 'Release', 'libmakesomenoise_cuda.so'));
  for (const fault of waits.faults) console.log(`FAILED  ${fault}`);
  failed += waits.faults.length;
  if (waits.kernels === 0) {
    ++failed;
    console.log(`FAILED  ${cuobjdump} read no kernel; it needs nvdisasm beside it or on PATH`);
  }
  console.log(`waits read in the machine code of ${waits.kernels} kernels, ${waits.faults.length} failed`);
} else {
  console.log('waits were not read in the machine code: there is no cuobjdump');
}
process.exit(failed === 0 ? 0 : 1);
