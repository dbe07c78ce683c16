'use strict';
// npm's "install" step of this package: nothing when a native file loads here, else compile it.
//   npm_config_build_from_source=true   always compile      MSN_SKIP_BUILD=1   never compile
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const root = path.join(__dirname, '..');
if (process.env.MSN_SKIP_BUILD === '1') process.exit(0);

const fromSource = process.env.npm_config_build_from_source === 'true';
let why = 'npm_config_build_from_source=true';
if (!fromSource) {
  // In a child: a file made for another system may even crash the process that loads it.
  const r = spawnSync(process.execPath, ['-e', 'require("node-gyp-build")(process.cwd())'],
    { cwd: root, encoding: 'utf8' });
  if (r.status === 0) process.exit(0);
  why = (r.stderr || String(r.signal || r.error)).split('\n').find((l) => /Error:/.test(l)) || `exit ${r.status}`;
}
console.error(`makesomenoise: no ready native build (${why.trim()}); compiling with CMake`);
let cli;
try {
  cli = require.resolve('cmake-js/bin/cmake-js', { paths: [root] });
} catch {
  console.error('makesomenoise: cmake-js is not installed, cannot compile');
  process.exit(1);
}
const r = spawnSync(process.execPath, [cli, 'compile', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
if (r.status !== 0) {
  console.error('makesomenoise: the native build failed. It needs CMake >= 3.20 and a C++20 compiler (g++ >= 11 or clang >= 14).');
}
process.exit(r.status ?? 1);
