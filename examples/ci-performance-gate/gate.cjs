// A performance gate for continuous integration: exits with 1 when something became slower than the baseline.
//   node gate.cjs [BASELINE_FILE] [MAX_REGRESSION]
// The first run writes the baseline; keep the file with the machine it was measured on.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const [baseline = 'baseline.json', limit = '10%'] = process.argv.slice(2);
const suites = '--shape tiny --suite decode --suite verify --prompt-tokens 32 --new-tokens 32'.split(' ');

if (fs.existsSync(baseline)) {
  const { status, stdout } = bench(['--baseline', baseline, '--max-regression', limit]);
  console.log(stdout);
  console.log(status === 0 ? 'gate: passed' : 'gate: failed');
  process.exitCode = status;
} else {
  const { status, stdout } = bench(['--json']);
  if (status === 0) {
    fs.writeFileSync(baseline, stdout);
    console.log(`gate: wrote ${baseline}; the next run is compared with it`);
  } else {
    console.log(stdout);
  }
  process.exitCode = status;
}

function bench(words) {
  const msn = path.join(
    path.dirname(require.resolve('makesomenoise/package.json')),
    'dist',
    'cli',
    'main.js',
  );
  const result = spawnSync(process.execPath, [msn, 'bench', ...suites, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // A process that a signal ended has no status.
  return { status: result.status ?? 1, stdout: result.stdout };
}
