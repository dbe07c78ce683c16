'use strict';
// Makes this platform's prebuilds/<platform>-<arch>/: the addon makesomenoise.<libc>.node, and beside it the CUDA
// module libmakesomenoise_cuda.so, and loads both once.
//   node scripts/prebuild.cjs [--if-stale]   with --if-stale the addon only when it is missing or its sources changed
// MSN_CUDA in the environment: AUTO (default), the module where nvcc is found; ON, an error without nvcc; OFF, none.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { nativeSourceHash } = require('./native-sources.cjs');
const { buildWithCmakeJs, root } = require('./cmake-js.cjs');
const { findNvcc } = require('./nvcc.cjs');

const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const stamp = path.join(folder, 'sources.sha256');
const moduleFile = 'libmakesomenoise_cuda.so';
// On stderr: `npm pack --json` writes to stdout.
const say = (what) => console.error(`prebuild: ${what}`);
const megabytes = (file) => `${path.relative(root, file)}, ${(fs.statSync(file).size / 1e6).toFixed(1)} MB`;

const prebuiltFiles = () =>
  fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.node')) : [];
const isFresh = (hash) =>
  prebuiltFiles().length > 0 && fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8').trim() === hash;

/** Runs code in which `file` is the path of the prebuilt addon; what it prints. */
function inAddon(code) {
  const env = { ...process.env, PREBUILDS_ONLY: '1', MSN_CUDA_SHIM: '', MSN_CUDA_MODULE: '' };
  const find = 'const file = require("node-gyp-build").resolve(".");';
  return execFileSync(process.execPath, ['-e', find + code], { cwd: root, env, encoding: 'utf8' }).trim();
}

async function makeAddon(hash) {
  const wrapper = path.join(__dirname, 'cmake-js-as-node-gyp.cjs');
  fs.rmSync(folder, { recursive: true, force: true }); // prebuildify never removes stale files
  await promisify(require('prebuildify'))({
    cwd: root,
    name: 'makesomenoise',
    napi: true,
    strip: true,
    tagLibc: true,
    tagArmv: true,
    targets: [{ runtime: 'node', target: process.versions.node }],
    // A shell, which the quotes are for, is used on Windows only.
    nodeGyp: process.platform === 'win32' ? `node "${wrapper}"` : wrapper,
  });
  // It takes every library of build/Release along: the shim, which is for tests, and a module that may be stale.
  for (const name of fs.readdirSync(folder)) if (!name.endsWith('.node')) fs.rmSync(path.join(folder, name));
  const loaded = inAddon('require(file); console.log(file)');
  // prebuildify moves the built file away; put it back, so that the next build finds nothing to do.
  fs.copyFileSync(loaded, path.join(root, 'build', 'Release', 'makesomenoise.node'));
  fs.writeFileSync(stamp, `${hash}\n`);
  say(megabytes(loaded));
}

/** The module as CMake has it by now, or none. */
function placeModule(wanted) {
  const placed = path.join(folder, moduleFile);
  fs.rmSync(placed, { force: true });
  if (wanted === 'OFF') return say('without the CUDA module, because MSN_CUDA is OFF');
  if (wanted === 'AUTO' && findNvcc() === undefined)
    return say(
      'WITHOUT THE CUDA MODULE, because no nvcc was found (CUDACXX, CUDA_HOME, PATH): this package computes on the ' +
        'CPU alone',
    );
  if (buildWithCmakeJs(['--CDMSN_CUDA=ON'], 'makesomenoise_cuda') !== 0)
    throw new Error('the CUDA module was not built, see above; MSN_CUDA=OFF makes the package without it');
  fs.copyFileSync(path.join(root, 'build', 'Release', moduleFile), placed);
  execFileSync(process.env.STRIP ?? 'strip', [placed]);
  const { module, architectures, reason } = JSON.parse(
    inAddon('console.log(JSON.stringify(require(file).cuda()))'),
  );
  if (module !== placed || architectures === '') throw new Error(`the CUDA module does not load: ${reason}`);
  say(`${megabytes(placed)}, for compute capability ${architectures}`);
}

async function main() {
  const wanted = process.env.MSN_CUDA ?? 'AUTO';
  if (!['AUTO', 'ON', 'OFF'].includes(wanted))
    throw new Error(`MSN_CUDA: expected AUTO, ON or OFF, received ${wanted}`);
  const hash = nativeSourceHash(root);
  if (!process.argv.includes('--if-stale') || !isFresh(hash)) await makeAddon(hash);
  placeModule(wanted);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
