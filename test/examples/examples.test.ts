/** Installs the packed package into a copy of every example and runs it as its README says. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'msn-examples-'));
let tarball: string;

beforeAll(() => {
  // What prepack says goes to standard output too, so the file's name is looked up.
  execFileSync('npm', ['pack', '--loglevel', 'error', '--pack-destination', scratch], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MSN_CUDA: 'OFF' }, // which takes minutes to compile, and no example needs a GPU
  });
  tarball = join(
    scratch,
    readdirSync(scratch).find((name) => name.endsWith('.tgz'))!,
  );
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The folder of an installed copy. */
function install(name: string): string {
  const folder = join(scratch, name);
  cpSync(join(root, 'examples', name), folder, {
    recursive: true,
    filter: (path) => !/(node_modules|out|baseline\.json)$/.test(path),
  });
  const words = ['install', tarball, '--no-audit', '--no-fund', '--prefer-offline', '--loglevel', 'error'];
  execFileSync('npm', words, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return folder;
}

function start(
  folder: string,
  words: string[] = [],
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('npm', ['start', '--silent', '--', ...words], { cwd: folder, encoding: 'utf8' });
}

test('generate', () => {
  const { status, stdout, stderr } = start(install('generate'));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('every method gave the same tokens');
});

test('train-job, which goes on where it was', () => {
  const folder = install('train-job');
  const first = start(folder);
  expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
  const loss = (name: string): number =>
    Number(new RegExp(`^${name}: evaluation loss ([\\d.]+)`, 'm').exec(first.stdout)?.[1]);
  expect(loss('plain')).toBeLessThan(1);
  expect(loss('noisy')).toBeLessThan(1);
  expect(existsSync(join(folder, 'out', 'noisy', 'model.safetensors'))).toBe(true);
  expect(start(folder).status).toBe(0);
});

describe('ci-performance-gate', () => {
  let folder: string;
  const baseline = (): string => join(folder, 'baseline.json');
  beforeAll(() => {
    folder = install('ci-performance-gate');
    expect(start(folder).status).toBe(0);
  });

  test('passes against its own baseline, with room for a busy machine', () => {
    const { status, stdout } = start(folder, ['baseline.json', '10000%']);
    expect(stdout).toContain('gate: passed');
    expect(status).toBe(0);
  });

  test('fails against a baseline of a machine a thousand times as fast', () => {
    const report = JSON.parse(readFileSync(baseline(), 'utf8')) as {
      measurements: Array<{ better: 'lower' | 'higher'; spread: Record<string, number> }>;
    };
    for (const { better, spread } of report.measurements) {
      for (const name of ['min', 'lowerQuartile', 'median', 'upperQuartile', 'max']) {
        spread[name] = spread[name]! * (better === 'lower' ? 1e-3 : 1e3);
      }
    }
    writeFileSync(join(folder, 'fast.json'), JSON.stringify(report));
    const { status, stdout } = start(folder, ['fast.json', '10%']);
    expect(stdout).toContain('gate: failed');
    expect(status).toBe(1);
  });
});
