'use strict';
// The bugs that scripts/planted-bugs.cjs plants: in which file's kernels, what text is replaced by what, and
// under which compiler and schedule of the shim which output shows that it was caught.

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
        /deadlock in block \([26], 0, 0\).*\n.*warp 0: lanes ffffffff wait at the cluster's barrier\n.*warp 1: lanes ffffffff wait at the block's barrier/,
      ],
    ],
  },
  {
    name: 'a grid that is no multiple of its clusters',
    change: ['dim3(kClusters * kCluster)', 'dim3(kClusters * kCluster + 1)'],
    caught: [['plain', inStep, wrong]],
  },
];
const earlyWeightsBugs = [
  {
    name: 'an input read before it is waited for',
    change: [
      'wait_for_inputs();\n  args.y[place()] = w * args.x[place()];',
      'const float x = args.x[place()];\n  wait_for_inputs();\n  args.y[place()] = w * x;',
    ],
    caught: [
      ['plain', firstAhead, wrong],
      ['thread', inStepLazy, race],
    ],
  },
  {
    name: 'an output written before the kernel in front has read it',
    change: [
      'wait_for_inputs();\n  args.y[place()] = w * args.x[place()];',
      'args.x[place()] = 5;\n  wait_for_inputs();\n  args.y[place()] = w * 10;',
    ],
    caught: [['thread', inStepLazy, race]],
  },
  {
    name: 'weights written by the kernel directly in front',
    change: ['{write_kernel, double_kernel,', '{double_kernel, write_kernel,'],
    caught: [
      ['plain', firstAhead, wrong],
      ['plain', lastAhead, wrong],
      ['thread', inStepLazy, race],
    ],
  },
  {
    name: 'a kernel that lets the next start beside the one that writes its weights',
    change: [
      '  wait_for_inputs();\n  let_next_start();\n  args.x',
      '  let_next_start();\n  wait_for_inputs();\n  args.x',
    ],
    caught: [
      ['plain', firstAhead, wrong],
      ['plain', random, wrong],
      ['thread', inStepLazy, race],
    ],
  },
];

module.exports = {
  everywhere: [inStep, inStepLazy, firstAhead, lastAhead, random],
  bugsOfFile: {
    'split_sum.cu': splitSumBugs,
    'cluster_sum.cu': clusterSumBugs,
    'early_weights.cu': earlyWeightsBugs,
  },
};
