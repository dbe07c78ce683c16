'use strict';
// Reads what `jest --json --outputFile=FILE` wrote.
//   node .ci/jest-results.cjs counts FILE     "passed failed skipped"; a test file that broke counts as one failed
//   node .ci/jest-results.cjs failures FILE   every failed test with the head of its message
const { readFileSync } = require('node:fs');
const path = require('node:path');

const [mode, file] = process.argv.slice(2);
const results = JSON.parse(readFileSync(file, 'utf8'));
const linesPerFailure = 30;
const head = (text) => text.split('\n').slice(0, linesPerFailure).join('\n');

if (mode === 'counts') {
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  console.log(results.numPassedTests, failed, results.numPendingTests + results.numTodoTests);
} else {
  for (const suite of results.testResults.filter(({ status }) => status === 'failed')) {
    const name = path.relative(process.cwd(), suite.name);
    const tests = suite.assertionResults.filter(({ status }) => status === 'failed');
    if (tests.length === 0) console.log(`\n${name}\n${head(suite.message)}`);
    for (const test of tests)
      console.log(`\n${name}: ${test.fullName}\n${head(test.failureMessages.join('\n'))}`);
  }
}
