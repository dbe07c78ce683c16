'use strict';
// Makes this platform's prebuilds/<platform>-<arch>/makesomenoise.<libc>.node and loads it once.
//   node scripts/prebuild.cjs [--if-stale]   with --if-stale only when it is missing or its sources have changed
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { nativeSourceHash } = require('./native-sources.cjs');
const { root } = require('./cmake-js.cjs');

const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const stamp = path.join(folder, 'sources.sha256');

const prebuiltFiles = () =>
  fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('.node')) : [];
const isFresh = (hash) =>
  prebuiltFiles().length > 0 && fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8').trim() === hash;

async function makePrebuild(hash) {
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
  const code = 'const file = require("node-gyp-build").resolve("."); require(file); console.log(file)';
  const env = { ...process.env, PREBUILDS_ONLY: '1' };
  const loaded = execFileSync(process.execPath, ['-e', code], { cwd: root, env, encoding: 'utf8' }).trim();
  // prebuildify moves the built file away; put it back, so that the next build finds nothing to do.
  fs.copyFileSync(loaded, path.join(root, 'build', 'Release', 'makesomenoise.node'));
  fs.writeFileSync(stamp, `${hash}\n`);
  // On stderr: `npm pack --json` writes to stdout.
  console.error(
    `prebuild: ${path.relative(root, loaded)}, ${(fs.statSync(loaded).size / 1e6).toFixed(1)} MB`,
  );
}

const hash = nativeSourceHash(root);
if (process.argv.includes('--if-stale') && isFresh(hash)) process.exit(0);
makePrebuild(hash).catch((error) => {
  console.error(error);
  process.exit(1);
});
