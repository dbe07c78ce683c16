'use strict';
// Builds with the address and undefined-behaviour sanitizers and runs the tests that reach native code; further
// arguments go to jest. Needs GCC with libasan and libubsan, on Linux.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const run = (script, args, env = {}) => {
  const result = spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (result.status !== 0) {
    if (result.signal) console.error(`${path.basename(script)} was ended by ${result.signal}`);
    process.exit(result.status ?? 1);
  }
};

/** A runtime library of the compiler; Node itself is not sanitized, so it has to be loaded before everything else. */
function runtimeLibrary(name) {
  const file = execFileSync(process.env.CXX ?? 'g++', [`-print-file-name=${name}`], {
    encoding: 'utf8',
  }).trim();
  if (path.isAbsolute(file)) return fs.realpathSync(file);
  console.error(`${name} was not found; install GCC's sanitizer libraries (Debian: they come with g++)`);
  process.exit(1);
}

run(path.join(__dirname, 'build-native.cjs'), ['--sanitize']);
run(
  require.resolve('jest/bin/jest'),
  ['--config', path.join(root, 'jest.sanitized.config.cjs'), ...process.argv.slice(2)],
  {
    LD_PRELOAD: [runtimeLibrary('libasan.so'), runtimeLibrary('libubsan.so')].join(' '),
    // Node never frees some of its own memory at exit. A small quarantine leaves memory for the models.
    ASAN_OPTIONS: 'detect_leaks=0:quarantine_size_mb=64',
    UBSAN_OPTIONS: 'print_stacktrace=1',
    MSN_TESTING_ADDON: path.join(root, 'build-sanitize', 'build', 'testing', 'makesomenoise_testing.node'),
    MAKESOMENOISE_PREBUILD: path.join(root, 'build-sanitize'),
    // A sanitized pass over 135 million weights takes minutes; small models run the same code.
    MSN_SMOLLM2: '',
  },
);
