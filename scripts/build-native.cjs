'use strict';
// Builds the addon into build/Release and the tests' addon into build/testing.
//   node scripts/build-native.cjs [--debug | --sanitize] [--cuda] [--shim] [--target=NAME]
// --cuda: the CUDA module beside the addon, too; needs nvcc and minutes.
// --shim: the kernels for the host shim beside the addon, too, and build/kernels/kernel_tests.
// --target: one target of CMake's alone.
// What an earlier build of the folder was asked for stays.
// Debug builds go to build-debug/, those with address and undefined-behaviour sanitizers to build-sanitize/build/
// (so that MAKESOMENOISE_PREBUILD=build-sanitize makes node-gyp-build load the addon from there).
const path = require('node:path');
const { buildWithCmakeJs, cudaDecided, root } = require('./cmake-js.cjs');

const asked = (option) => process.argv.includes(option);
const options = ['--CDMSN_TESTING=ON'];
let folder = path.join(root, 'build');
if (asked('--sanitize')) {
  folder = path.join(root, 'build-sanitize', 'build');
  options.push('-D', '-O', folder, '--CDMSN_SANITIZE=address,undefined', '--CDMSN_STATIC_LIBSTDCXX=OFF');
} else if (asked('--debug')) {
  folder = path.join(root, 'build-debug');
  options.push('-D', '-O', folder);
}

if (asked('--cuda')) options.push('--CDMSN_CUDA=ON', '--CDMSN_CUDA_REPORT=ON');
else if (!cudaDecided(folder)) options.push('--CDMSN_CUDA=OFF');
if (asked('--shim')) options.push('--CDMSN_CUDA_SHIM=ON');
const target = process.argv.find((option) => option.startsWith('--target='))?.slice('--target='.length);
process.exit(buildWithCmakeJs(options, target));
