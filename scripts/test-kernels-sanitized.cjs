'use strict';
// Builds the kernels' tests for the host shim under sanitizers and runs them on tiny shapes:
//   node scripts/test-kernels-sanitized.cjs [address | thread] [test ...]
// Both sanitizers, all tests by default. Needs GCC with its sanitizer libraries, on Linux.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const root = path.join(__dirname, '..');

/** Every fault counts; what the shim keeps for the whole process is no leak. */
const options = {
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:history_size=4',
};
/** Out of step and lazy: for the thread sanitizer the order matters little, for the address sanitizer not at all. */
const settings = { MSN_TINY_TESTS: '1', MSN_SHIM_SCHEDULE: '3', MSN_SHIM_LAZY_STREAM: '1' };

const sanitizers = ['address', 'thread'];
const args = process.argv.slice(2);
const chosen = sanitizers.filter((name) => args.includes(name));
const tests = args.filter((name) => !sanitizers.includes(name));

let failed = false;
for (const sanitizer of chosen.length > 0 ? chosen : sanitizers) {
  const target = `kernel_tests_${sanitizer}`;
  const build = [path.join(__dirname, 'build-native.cjs'), '--shim', `--target=${target}`];
  const { status } = spawnSync(process.execPath, build, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  console.log(`${target}:`);
  const run = spawnSync(path.join(root, 'build', 'kernels', target), tests, {
    stdio: 'inherit',
    env: { ...process.env, ...options, ...settings },
  });
  failed ||= run.status !== 0;
}
process.exit(failed ? 1 : 0);
