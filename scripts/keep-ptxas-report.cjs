'use strict';
// Stands before nvcc in the build: runs it and keeps what ptxas says of the kernels beside the object file, for
// scripts/check-kernels.cjs; everything else nvcc says is passed on.
//   node scripts/keep-ptxas-report.cjs nvcc ... -o file.o
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

const [compiler, ...args] = process.argv.slice(2);
const { status, stdout, stderr, error } = spawnSync(compiler, args, {
  encoding: 'utf8',
  maxBuffer: 2 ** 28,
  stdio: ['inherit', 'pipe', 'pipe'],
});
if (error) throw error;

// "ptxas info : Function properties for f" and the line of numbers that follows it, indented.
const isReport = (line) => /^ptxas info |^ {4}\d+ bytes stack frame/.test(line);
const lines = `${stdout}${stderr}`.split('\n');
const object = args[args.indexOf('-o') + 1];
if (status === 0 && lines.some(isReport))
  fs.writeFileSync(`${object}.ptxas`, lines.filter(isReport).join('\n'));
process.stderr.write(
  lines
    .filter((line) => !isReport(line) && line !== '')
    .map((line) => `${line}\n`)
    .join(''),
);
process.exit(status ?? 1);
