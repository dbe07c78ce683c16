'use strict';
// Plants bugs in sound kernels, one at a time, and shows that the shim catches each:
//   node scripts/planted-bugs.cjs [part of a bug's name ...]
// Needs the shim's objects (npm run build:shim), and GCC with its sanitizers.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { filesUnder } = require('./native-sources.cjs');
const { everywhere, bugsOfFile } = require('../test/kernels/planted/bugs.cjs');

const root = path.join(__dirname, '..');

const compilers = {
  plain: ['-O2'],
  address: ['-O1', '-g1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  thread: ['-O1', '-g1', '-fsanitize=thread'],
};

const folder = path.join(root, 'test', 'kernels', 'planted');
const kernels = Object.entries(bugsOfFile).map(([file, bugs]) => ({
  file,
  bugs,
  sound: fs.readFileSync(path.join(folder, file), 'utf8'),
}));

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'makesomenoise-planted-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ status, signal, output }));
  });
}

const cxx = process.env.CXX ?? 'g++';
const common = ['-std=c++20', '-ffp-contract=off', '-I', root, '-I', path.join(root, 'native'), '-c'];

async function compile(source, object, options) {
  const { status, output } = await run(cxx, [...common, ...options, '-x', 'c++', source, '-o', object]);
  if (status !== 0) throw new Error(`${source} does not compile:\n${output}`);
  return object;
}

/** Runs `job` on every item, on as many at a time as there are cores. */
async function onAllCores(items, job) {
  const waiting = [...items.entries()];
  const results = [];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await job(next[1]);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  return results;
}

/** The shim, never instrumented, and the device functions on it: objects that every program is linked with. */
function compileShim() {
  const shim = filesUnder(root, path.join('kernels', 'shim')).filter((file) => file.endsWith('.cc'));
  const device = ['device.cu', 'cluster_occupancy.cu'].map((file) => path.join('kernels', file));
  return onAllCores([...shim, ...device], (file) =>
    compile(path.join(root, file), path.join(work, `${path.basename(file)}.o`), [
      '-O2',
      ...(path.basename(file) === 'block.cc' ? ['-fno-builtin'] : []),
    ]),
  );
}

/** The program of one variant of the kernel. */
async function build(name, source, compiler, shim) {
  const stem = path.join(work, `${name.replaceAll(/\W+/g, '-')}-${compiler}`);
  fs.writeFileSync(`${stem}.cu`, source);
  const options = compilers[compiler];
  const object = await compile(`${stem}.cu`, `${stem}.o`, [...options, '-Wno-unknown-pragmas']);
  // The shim first: of an inline function in several objects the linker keeps the first.
  const { status, output } = await run(cxx, [...shim, object, ...options, '-o', stem, '-lpthread']);
  if (status !== 0) throw new Error(`${name} cannot be linked:\n${output}`);
  return stem;
}

function planted(sound, { name, change: [find, replacement] }) {
  const parts = sound.split(find);
  if (parts.length !== 2)
    throw new Error(`${name}: ${JSON.stringify(find)} is there ${parts.length - 1} times`);
  return parts.join(replacement);
}

/** What is done with a kernel: as it stands everywhere, then with each bug where it must be caught. */
function trials({ file, sound, bugs }) {
  const soundTrials = Object.keys(compilers).map((compiler) => ({
    name: `${file} as it stands`,
    source: sound,
    compiler,
    runs: everywhere.map((env) => ({ env, expected: /^right$/m, fine: true })),
  }));
  const bugTrials = bugs.flatMap((bug) =>
    [...new Set(bug.caught.map(([compiler]) => compiler))].map((compiler) => ({
      name: bug.name,
      source: planted(sound, bug),
      compiler,
      runs: bug.caught
        .filter(([by]) => by === compiler)
        .map(([, env, expected]) => ({ env, expected, fine: false })),
    })),
  );
  return [...soundTrials, ...bugTrials];
}

async function attempt({ name, source, compiler, runs }, shim) {
  const program = await build(name, source, compiler, shim);
  const faults = [];
  for (const { env, expected, fine } of runs) {
    const { status, output } = await run(program, [], env);
    if ((status === 0) !== fine || !expected.test(output))
      faults.push(
        `${JSON.stringify(env)}: exit status ${status}, expected ${expected}, received:\n${output}`,
      );
  }
  const outcome = faults.length === 0 ? 'passed' : 'FAILED';
  console.log(`${outcome}  ${compiler.padEnd(8)} ${name}`);
  for (const fault of faults) console.log(fault);
  return faults.length === 0;
}

async function main() {
  const wanted = process.argv.slice(2);
  const isWanted = ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part));
  const chosen = kernels
    .map((kernel) => ({ ...kernel, bugs: kernel.bugs.filter(isWanted) }))
    .filter(({ bugs }) => bugs.length > 0);
  const shim = await compileShim();
  const results = await onAllCores(chosen.flatMap(trials), (trial) => attempt(trial, shim));
  const failed = results.filter((passed) => !passed).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
