'use strict';
// Plants bugs in sound kernels, one at a time, and shows that the shim catches each:
//   node scripts/planted-bugs.cjs [part of a bug's name ...]
// Needs the shim's objects (npm run build:shim), and GCC with its sanitizers.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { filesUnder } = require('./native-sources.cjs');

const root = path.join(__dirname, '..');

const compilers = {
  plain: ['-O2'],
  address: ['-O1', '-g1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  thread: ['-O1', '-g1', '-fsanitize=thread'],
};

/** What the tests run under; see kernels/shim/settings.h. */
const schedule = (number, lazy = 1) => ({
  MSN_SHIM_SCHEDULE: String(number),
  MSN_SHIM_LAZY_COPIES: String(lazy),
  MSN_SHIM_LAZY_STREAM: String(lazy),
});
const inStep = schedule(0, 0);
const inStepLazy = schedule(0);
const firstAhead = schedule(1);
const lastAhead = schedule(2);
const random = schedule(3);

const wrong = /^wrong: \d+ failures$/m;
const race = /ThreadSanitizer: data race/;
const splitSumBugs = [
  {
    name: 'an asynchronous copy is not waited for',
    change: ['    wait_for_copies<1>();\n', ''],
    caught: [['plain', inStepLazy, wrong]],
  },
  {
    name: 'one group of copies too few is waited for',
    change: ['wait_for_copies<1>', 'wait_for_copies<2>'],
    caught: [['plain', inStepLazy, wrong]],
  },
  {
    name: 'no barrier between the copies and their readers',
    change: ['    __syncthreads();  // the tile is there', '    // the tile is there'],
    caught: [
      ['plain', firstAhead, wrong],
      ['plain', lastAhead, wrong],
      ['plain', random, wrong],
      ['thread', inStep, race],
    ],
  },
  {
    name: 'no barrier between the readers and the next copies',
    change: ['    __syncthreads();  // the tile may', '    // the tile may'],
    caught: [
      ['plain', firstAhead, wrong],
      ['plain', lastAhead, wrong],
      ['plain', random, wrong],
      ['thread', inStep, race],
    ],
  },
  {
    name: 'no barrier between the warps and their sum',
    change: ['  __syncthreads();  // all warps', '  // all warps'],
    caught: [
      ['plain', firstAhead, wrong],
      ['thread', inStep, race],
    ],
  },
  {
    name: 'no fence before the ticket',
    change: ['  __threadfence();  // the part', '  // the part'],
    caught: [['thread', inStep, race]],
  },
  {
    name: 'no fence after the ticket',
    change: ['  __threadfence();  // the other', '  // the other'],
    caught: [['thread', inStep, race]],
  },
  {
    name: 'a ticket that is not returned',
    change: ['  atomicExch(&args.tickets[row], 0u);\n', ''],
    caught: [['plain', inStep, wrong]],
  },
  {
    name: 'a write behind the shared memory',
    change: ['sums[warp] = sum', 'sums[warp + 1] = sum'],
    caught: [
      ['plain', inStep, /wrote behind its 4112 bytes of shared memory/],
      ['address', inStep, /AddressSanitizer: use-after-poison/],
    ],
  },
  {
    name: 'a read behind the shared memory',
    change: ['part += sums[w]', 'part += sums[w + 1]'],
    caught: [
      ['plain', inStep, wrong],
      ['address', inStep, /AddressSanitizer: use-after-poison/],
    ],
  },
  {
    name: 'shared memory read before it is written',
    change: ['  if (lane == 0) sums[warp] = sum;\n', '  if (lane == 0 && warp > 0) sums[warp] = sum;\n'],
    caught: [['plain', inStep, wrong]],
  },
  {
    name: 'a copy from behind an array',
    change: [', column < end);', ', true);'],
    caught: [['address', inStep, /AddressSanitizer: heap-buffer-overflow/]],
  },
  {
    name: 'a read behind an array',
    change: ['if (column < end) sum', 'sum'],
    caught: [['address', inStep, /AddressSanitizer: heap-buffer-overflow/]],
  },
  {
    name: 'a write behind an array',
    change: ['args.y[row] = total', 'args.y[row + 1] = total'],
    caught: [['address', inStep, /AddressSanitizer: heap-buffer-overflow/]],
  },
  {
    name: 'memory released before the kernel has run',
    change: ['    checked(launch(', '    checked(device.release(b_memory));\n    checked(launch('],
    caught: [['address', inStep, /AddressSanitizer: heap-use-after-free/]],
  },
  {
    name: 'a misaligned copy',
    change: ['tiles + tile % 2 * kTile + 4 * thread,', 'tiles + 1 + tile % 2 * kTile + 4 * thread,'],
    caught: [['plain', inStep, /asynchronous copy of 16 bytes: .* is not aligned/]],
  },
  {
    name: 'a shuffle whose mask lacks the lane',
    change: ['__shfl_xor_sync(kWholeWarp, sum', '__shfl_xor_sync(0xFFFFu, sum'],
    caught: [['plain', inStep, /the calling lane \d+ is not in the mask 0000ffff/]],
  },
  {
    name: 'a shuffle from a lane outside its mask',
    change: ['__shfl_xor_sync(kWholeWarp, sum', '__shfl_xor_sync(lane < 8 ? 0xFFu : 0xFFFFFF00u, sum'],
    caught: [['plain', inStep, /shuffle: lane \d+ reads lane \d+, which is not in the mask/]],
  },
  {
    name: 'half a warp in a shuffle of the whole',
    change: ['distance /= 2) sum +=', 'distance /= 2) if (lane < 16) sum +='],
    caught: [
      [
        'plain',
        inStep,
        /deadlock in block .*\n(.*\n)*.*lanes 0000ffff wait in a collective of lanes ffffffff/,
      ],
    ],
  },
  {
    name: 'a warp divided between two collectives',
    change: [
      '  if (lane == 0) sums',
      '  lane < 16 ? __syncwarp() : static_cast<void>(__ballot_sync(kWholeWarp, 1));\n  if (lane == 0) sums',
    ],
    caught: [['plain', inStep, /divergent warp collective/]],
  },
  {
    name: 'a barrier that only one warp comes to',
    change: ['  if (lane == 0) sums', '  if (warp == 1) __syncthreads();\n  if (lane == 0) sums'],
    caught: [['plain', firstAhead, /deadlock in block|^wrong/m]],
  },
  {
    name: 'a kernel that does not wait for its inputs',
    change: ['  wait_for_inputs();\n', ''],
    caught: [['plain', inStep, /has to call wait_for_inputs\(\)/]],
  },
  {
    name: 'a result read without waiting for the stream',
    change: ['    checked(device.synchronize(where.stream));\n', ''],
    caught: [['plain', inStepLazy, wrong]],
  },
  {
    name: 'a host address given as a device address',
    change: ['device.fill(args.y, 0xFF', 'device.fill(y.data(), 0xFF'],
    caught: [['plain', inStep, wrong]],
  },
];
const everyOrder = [inStep, firstAhead, lastAhead, random];
const clusterSumBugs = [
  {
    name: "no barrier before the cluster's first parts are read",
    change: ['    synchronize_cluster();  // the parts are', '    if (tile > 0) synchronize_cluster();  //'],
    caught: everyOrder.map((env) => ['plain', env, /no barrier of the cluster says that its block \d/]),
  },
  {
    name: "no barrier before the cluster's later parts are read",
    change: ['    synchronize_cluster();  // the parts are', '    if (tile == 0) synchronize_cluster();  //'],
    caught: [...everyOrder.map((env) => ['plain', env, wrong]), ['thread', inStep, race]],
  },
  {
    name: 'no barrier before parts that the cluster reads are overwritten',
    change: ['    synchronize_cluster();  // the parts have', '    if (tile > 0) synchronize_cluster();  //'],
    caught: [...everyOrder.map((env) => ['plain', env, wrong]), ['thread', inStep, race]],
  },
  {
    name: 'a block that ends while its cluster reads its shared memory',
    change: ['    synchronize_cluster();  // the parts have', '    if (tile < 2) synchronize_cluster();  //'],
    caught: everyOrder.map((env) => ['plain', env, /block \d of the cluster, .*, has ended/]),
  },
  {
    name: 'a block that the cluster does not have',
    change: ['load_of_cluster(sums + thread, other)', 'load_of_cluster(sums + thread, other + 1)'],
    caught: [['plain', inStep, /a cluster of 4 blocks has no block 4/]],
  },
  {
    name: "a load behind the cluster's shared memory",
    change: ['load_of_cluster(sums + thread, other)', 'load_of_cluster(sums + thread + kThreads / 4, other)'],
    caught: [['plain', inStep, /is no place of 16 bytes in the block's shared memory/]],
  },
  {
    name: "a barrier of the cluster that one block's warp does not come to",
    change: [
      '    synchronize_cluster();  // the parts are',
      '    rank == 2 && thread > 31 ? __syncthreads() : synchronize_cluster();  //',
    ],
    caught: [
      [
        'plain',
        inStep,
        /deadlock in block \(2, 0, 0\).*\n.*warp 0: lanes ffffffff wait at the cluster's barrier\n.*warp 1: lanes ffffffff wait at the block's barrier/,
      ],
    ],
  },
  {
    name: 'a grid that is no multiple of its clusters',
    change: ['dim3(kClusters * kCluster)', 'dim3(kClusters * kCluster + 1)'],
    caught: [['plain', inStep, wrong]],
  },
];

const kernels = [
  { file: 'split_sum.cu', bugs: splitSumBugs },
  { file: 'cluster_sum.cu', bugs: clusterSumBugs },
].map(({ file, bugs }) => ({
  file,
  bugs,
  sound: fs.readFileSync(path.join(root, 'test', 'kernels', 'planted', file), 'utf8'),
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
  const everywhere = [inStep, inStepLazy, firstAhead, lastAhead, random];
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
