import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchReport } from '../../ts/bench/report';
import { temporaryFolder } from '../support/temporary-folder';
import { runCli } from './run-cli';

const folder = temporaryFolder();
const baseline = join(folder, 'baseline.json');
const measure = ['bench', '--shape', 'tiny', '--suite', 'verify', '--nodes', '[1, 2]', '--repeats', '2'];

beforeAll(async () => {
  const { code, stdout } = await runCli([...measure, '--json']);
  expect(code).toBe(0);
  writeFileSync(baseline, stdout);
});

const readBaseline = () => JSON.parse(readFileSync(baseline, 'utf8')) as BenchReport;

/** The baseline as if that run had taken `factor` times as long. */
function writeScaled(factor: number): string {
  const report = readBaseline();
  const path = join(folder, `scaled-${factor}.json`);
  for (const { spread } of report.measurements) {
    for (const key of ['min', 'lowerQuartile', 'median', 'upperQuartile', 'max'] as const)
      spread[key] *= factor;
  }
  writeFileSync(path, JSON.stringify(report));
  return path;
}

test('a report as JSON names what was measured', () => {
  const report = readBaseline();
  expect(report.measurements.map(({ name }) => name)).toEqual(['1 node', '2 nodes']);
  expect(report.subject.name).toBe('tiny');
});

test('a baseline that was far faster fails the run, one that was far slower does not', async () => {
  const slower = await runCli([...measure, '--baseline', writeScaled(1e-3)]);
  expect(slower.code).toBe(1);
  expect(slower.stdout).toContain(
    '2 of 2 measurements are missing, or worse than the baseline by more than 5.0 %',
  );
  const faster = await runCli([...measure, '--baseline', writeScaled(1e3), '--json']);
  expect(faster.code).toBe(0);
  expect(JSON.parse(faster.stdout)).toMatchObject({ comparison: { passed: true } });
});

test('wrong words exit with 2 and say what is wrong', async () => {
  const shape = await runCli(['bench', '--shape', 'huge']);
  expect(shape).toMatchObject({ code: 2, stdout: '' });
  expect(shape.stderr).toMatch(/^ERR_INVALID_ARGUMENT: shape: expected one of tiny, quickstart/);
  const limit = await runCli([...measure, '--max-regression', '5']);
  expect(limit).toMatchObject({ code: 2 });
  expect(limit.stderr).toContain('max-regression: expected a percentage such as 5%, received "5"');
});
