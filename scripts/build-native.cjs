'use strict';
// Builds the addon into build/Release and the tests' addon into build/testing.
//   node scripts/build-native.cjs [--debug | --sanitize]
// Debug builds go to build-debug/, those with address and undefined-behaviour sanitizers to build-sanitize/build/
// (so that MAKESOMENOISE_PREBUILD=build-sanitize makes node-gyp-build load the addon from there).
const path = require('node:path');
const { buildWithCmakeJs, root } = require('./cmake-js.cjs');

const options = ['--CDMSN_TESTING=ON'];
if (process.argv.includes('--sanitize')) {
  options.push('-D', '-O', path.join(root, 'build-sanitize', 'build'));
  options.push('--CDMSN_SANITIZE=address,undefined', '--CDMSN_STATIC_LIBSTDCXX=OFF');
} else if (process.argv.includes('--debug')) {
  options.push('-D', '-O', path.join(root, 'build-debug'));
}
process.exit(buildWithCmakeJs(options));
