'use strict';
// Builds the addon into build/Release and the tests' addon into build/testing.
//   node scripts/build-native.cjs [--debug] [--sanitize]   the sanitized build goes to build-sanitize/
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const root = path.join(__dirname, '..');
const cli = require.resolve('cmake-js/bin/cmake-js');
const sanitize = process.argv.includes('--sanitize');
const debug = process.argv.includes('--debug') || sanitize;
const common = ['-d', root, '--CDMSN_TESTING=ON'];
if (debug) common.push('-D', '-O', path.join(root, sanitize ? 'build-sanitize' : 'build-debug'));
if (sanitize) common.push('--CDMSN_SANITIZE=address,undefined');
for (const step of ['configure', 'build']) {
  const result = spawnSync(process.execPath, [cli, step, ...common], {
    stdio: 'inherit',
    cwd: root,
    env: { CMAKE_BUILD_PARALLEL_LEVEL: String(os.availableParallelism()), ...process.env },
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
