'use strict';
// Makes prebuilds/<platform>-<arch>/msn[.glibc|.musl].node (+ the CUDA module beside it, once there is one), then loads it.
//   node scripts/prebuild.cjs [--no-cuda]
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const prebuildify = require('prebuildify');

const root = path.join(__dirname, '..');
const wrapper = path.join(__dirname, 'cmake-js-as-node-gyp.cjs');
const win = process.platform === 'win32';
const out = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
fs.rmSync(out, { recursive: true, force: true }); // prebuildify never removes stale files
if (process.argv.includes('--no-cuda')) process.env.MSN_CMAKE_DEFINES = 'MSN_CUDA=OFF';

prebuildify({
  cwd: root,
  name: 'makesomenoise',                 // else package.json's name; a scope "@a/b" becomes "@a+b"
  napi: true,                  // the API's own default is false, the command line's is true
  strip: true,
  tagLibc: true,
  tagArmv: true,
  targets: [{ runtime: 'node', target: process.versions.node }],
  nodeGyp: win ? `node "${wrapper}"` : wrapper, // a shell is used on Windows only
}, (err) => {
  if (err) { console.error(err); process.exit(1); }
  const code = 'const f=require("node-gyp-build").resolve(process.cwd());require(f);console.log(f)';
  console.log('loads:', execFileSync(process.execPath, ['-e', code],
    { cwd: root, env: { ...process.env, PREBUILDS_ONLY: '1' }, encoding: 'utf8' }).trim());
  for (const f of fs.readdirSync(out)) console.log(f, fs.statSync(path.join(out, f)).size);
});
