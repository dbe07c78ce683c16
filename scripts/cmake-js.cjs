'use strict';
// Runs a step of cmake-js for this package, on all cores. Needs none of the devDependencies.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');

/** The exit status of `cmake-js <step> <options>`. Throws when cmake-js is not installed. */
function cmakeJs(step, options = []) {
  const cli = require.resolve('cmake-js/bin/cmake-js', { paths: [root] });
  const result = spawnSync(process.execPath, [cli, step, '-d', root, ...options], {
    stdio: 'inherit',
    cwd: root,
    env: { CMAKE_BUILD_PARALLEL_LEVEL: String(os.availableParallelism()), ...process.env },
  });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

/** Configures and builds what is out of date; the exit status of the first step that fails, else 0. */
function buildWithCmakeJs(options, target) {
  return (
    cmakeJs('configure', options) || cmakeJs('build', target ? [...options, '--target', target] : options)
  );
}

/** Whether an earlier configuration of a build folder decided on the CUDA module. */
function cudaDecided(folder) {
  const cache = path.join(folder, 'CMakeCache.txt');
  return fs.existsSync(cache) && /^MSN_CUDA:/m.test(fs.readFileSync(cache, 'utf8'));
}

module.exports = { buildWithCmakeJs, cudaDecided, root };
