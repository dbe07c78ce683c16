'use strict';
// npm's install step: nothing to do when a native file loads here, else compile it with CMake.
//   npm_config_build_from_source=true   compile in any case      MSN_SKIP_BUILD=1   never compile
//   MSN_CUDA=OFF | AUTO | ON            the CUDA module: never, where nvcc is found (default), in any case
// In a checkout of the repository it does nothing: `npm test` and `npm run quickstart` build what is out of date.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { buildWithCmakeJs, root } = require('./cmake-js.cjs');

const isCheckout = fs.existsSync(path.join(__dirname, 'build-native.cjs'));
if (process.env.MSN_SKIP_BUILD === '1' || isCheckout) process.exit(0);

/** undefined when a native file loads, else why it does not. */
function whyNotReady() {
  if (process.env.npm_config_build_from_source === 'true') return 'npm_config_build_from_source is set';
  // In a child: a file that was made for another system may crash the process that loads it.
  const probe = spawnSync(process.execPath, ['-e', 'require("node-gyp-build")(process.cwd())'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (probe.status === 0) return undefined;
  const line = probe.stderr.split('\n').find((text) => text.includes('Error:'));
  return line?.trim() ?? `loading it ended with ${probe.signal ?? `exit status ${probe.status}`}`;
}

/** Whether CMake has a CUDA compiler, which then may have been what failed. */
function foundNvcc() {
  const cache = path.join(root, 'build', 'CMakeCache.txt');
  return fs.existsSync(cache) && /^CMAKE_CUDA_COMPILER:\w+=\//m.test(fs.readFileSync(cache, 'utf8'));
}

const reason = whyNotReady();
if (reason === undefined) process.exit(0);
console.error(
  `makesomenoise: no ready native build for ${process.platform}-${process.arch} (${reason}); compiling with CMake`,
);
// The CUDA module where nvcc is found, which takes minutes; MSN_CUDA=OFF leaves it out, ON insists on it.
const cuda = process.env.MSN_CUDA ?? 'AUTO';
let status = buildWithCmakeJs([`--CDMSN_CUDA=${cuda}`]);
if (status !== 0 && cuda === 'AUTO' && foundNvcc()) {
  console.error('makesomenoise: the native build failed, see above; trying without the CUDA module');
  status = buildWithCmakeJs(['--CDMSN_CUDA=OFF']);
}
if (status !== 0)
  console.error(
    'makesomenoise: the native build failed, see above. It needs CMake >= 3.20 and a C++20 compiler (g++ >= 11 or ' +
      'clang >= 14); install them and run: npm rebuild makesomenoise',
  );
else {
  const file = path.join(root, 'build', 'Release', 'libmakesomenoise_cuda.so');
  console.error(
    fs.existsSync(file)
      ? `makesomenoise: built with the CUDA module, ${(fs.statSync(file).size / 1e6).toFixed(1)} MB`
      : 'makesomenoise: built for the CPU alone; the CUDA module needs nvcc (CUDACXX, CUDA_HOME or PATH)',
  );
}
process.exit(status);
