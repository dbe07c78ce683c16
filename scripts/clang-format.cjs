'use strict';
// Formats the native sources, or lists those that are not formatted and fails.
//   node scripts/clang-format.cjs --check | --write
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { filesUnder } = require('./native-sources.cjs');
const { clangFormatPath } = require('clang-format-node');

const root = path.join(__dirname, '..');
const write = process.argv.includes('--write');
if (write === process.argv.includes('--check')) {
  console.error('usage: node scripts/clang-format.cjs --check | --write');
  process.exit(2);
}

const files = ['native', 'kernels', 'test/kernels', 'test/cuda']
  .flatMap((folder) => filesUnder(root, folder))
  .filter((file) => /\.(cc|h|cu|cuh|cpp)$/.test(file));
const result = spawnSync(clangFormatPath, write ? ['-i', ...files] : ['--dry-run', '--Werror', ...files], {
  cwd: root,
  encoding: 'utf8',
});
if (result.error) throw result.error;
if (result.status === 0) process.exit(0);

const wrong = new Set(
  result.stderr.split('\n').flatMap((line) => /^(.+?):\d+:\d+: (?:error|warning):/.exec(line)?.[1] ?? []),
);
if (wrong.size === 0) {
  console.error(result.stderr);
} else {
  for (const file of wrong) console.error(file);
  console.error(`${wrong.size} of ${files.length} native files are not formatted; run: npm run format`);
}
process.exit(1);
