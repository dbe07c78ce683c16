import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from '../../ts/bench/machine';
import { readReport, type BenchReport } from '../../ts/bench/report';
import { spreadOf } from '../../ts/bench/statistics';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'msn-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(content: string): string {
  const path = join(folder, 'baseline.json');
  writeFileSync(path, content);
  return path;
}

const report: BenchReport = {
  format: 'makesomenoise-bench-1',
  machine: describeMachine(new Date(0)),
  subject: {
    name: 'tiny',
    weights: 'random',
    parameters: 260032,
    dtype: 'f32',
    device: 'cpu',
    instructions: 'avx2',
    threads: 2,
  },
  settings: { repeats: 5, nodes: [1, 2] },
  measurements: [{ suite: 'verify', name: '2 nodes', unit: 'ms', better: 'lower', spread: spreadOf([1, 2]) }],
  failures: [],
};

describe('readReport', () => {
  it('reads back what was written', () => {
    expect(readReport(write(JSON.stringify(report)))).toEqual(report);
  });

  it.each([
    ['no JSON', '{', /^baseline: cannot read .*baseline\.json: /],
    [
      'another format',
      JSON.stringify({ ...report, format: 'x' }),
      /is no report of `msn bench --json`: format: /,
    ],
    [
      'a median that is text',
      JSON.stringify({
        ...report,
        measurements: [{ ...report.measurements[0], spread: { ...spreadOf([1]), median: '1' } }],
      }),
      /is no report of `msn bench --json`: measurements\.0\.spread\.median: /,
    ],
    ['an array', '[]', /is no report of `msn bench --json`: the file: /],
  ])('refuses %s', (_, content, message) => {
    const path = write(content);
    expect(() => readReport(path)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARGUMENT',
        message: expect.stringMatching(message) as string,
      }),
    );
  });

  it('says so when there is no such file', () => {
    expect(() => readReport(join(folder, 'absent.json'))).toThrow(
      /^baseline: cannot read .*absent\.json: ENOENT/,
    );
  });
});

describe('describeMachine', () => {
  it('names the CPU, Node, the version and the date', () => {
    expect(report.machine).toMatchObject({
      node: process.version,
      date: '1970-01-01T00:00:00.000Z',
      platform: `${process.platform}-${process.arch}`,
    });
    expect(report.machine.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(report.machine.cpu).not.toBe('');
    expect(report.machine.memoryBytes).toBeGreaterThan(0);
  });
});
