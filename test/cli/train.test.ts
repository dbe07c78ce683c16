import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, saveTinyModel, startCli } from './run-cli';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const model = join(folder, 'model');
const data = join(folder, 'train.jsonl');
beforeAll(async () => {
  await saveTinyModel(model);
  const rows = Array.from({ length: 40 }, (_, index) =>
    JSON.stringify({ prompt: `Say ${index}`, completion: `It is ${index} indeed.` }),
  );
  writeFileSync(data, `${rows.join('\n')}\n`);
});

function writeJob(name: string, extra = ''): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(
    file,
    `model: ${model}\ndata: ${data}\noutput: ${join(folder, name)}\n` +
      `noise: { length: 4 }\nbatchSize: 4\npacking: false\nlearningRate: 1e-3\nthreads: 1\n${extra}`,
  );
  return file;
}

interface Line {
  type: string;
  step?: number;
  steps?: number;
  path?: string;
}

const parseLines = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

test('a job file, with options of the command line before those of the file', async () => {
  const job = writeJob('plain', 'steps: 50\nevalFraction: 0.1\nevalPrompts: 0\n');
  const { code, stdout, stderr } = await runCli([
    'train',
    job,
    '--steps',
    '3',
    '--noise.segments',
    '2',
    '--json',
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = parseLines(stdout);
  expect(lines.filter(({ type }) => type === 'step').map(({ step }) => step)).toEqual([1, 2, 3]);
  expect(lines.at(-1)).toMatchObject({ type: 'result', steps: 3, model: join(folder, 'plain') });
  expect(existsSync(join(folder, 'plain', 'model.safetensors'))).toBe(true);
  expect(existsSync(join(folder, 'plain', 'report.html'))).toBe(true);
});

test.each([
  ['of the command line', '', ['--gradient-checkpointing', '--optimizer.moments', '8bit']],
  ['of the job file', 'gradientCheckpointing: true\noptimizer: { moments: 8bit }\n', []],
])('options %s that save memory', async (name, extra, flags) => {
  const output = `memory ${name}`;
  const job = writeJob(output, `steps: 2\nevalPrompts: 0\n${extra}`);
  expect(await runCli(['train', job, ...flags])).toMatchObject({ code: 0, stderr: '' });
  const report = JSON.parse(readFileSync(join(folder, output, 'training-report.json'), 'utf8')) as unknown;
  expect(report).toMatchObject({ options: { gradientCheckpointing: true, optimizer: { moments: '8bit' } } });
});

test('as text it tells evaluations and the result, and no bar where there is no terminal', async () => {
  const job = writeJob('text', 'steps: 2\nevalFraction: 0.1\nevalPrompts: 0\n');
  const { code, stdout, stderr } = await runCli(['train', job]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^step 2: evaluation loss \d+\.\d{4}, denoising/m);
  expect(stdout).toMatch(/^model +\S+text$/m);
});

test('a wrong value names the line of the job file', async () => {
  const job = writeJob('wrong', 'clipNorm: -1\n');
  const { code, stderr } = await runCli(['train', job]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^ERR_INVALID_ARGUMENT: \S+wrong\.yaml:9: clipNorm: expected .*received -1\n$/);
});

test('a wrong value of the command line does not blame the file', async () => {
  const job = writeJob('given', 'clipNorm: 1\n');
  const { code, stderr } = await runCli(['train', job, '--clip-norm', '-1']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^ERR_INVALID_ARGUMENT: clipNorm: expected/);
});

test('an unknown key of the job file is wrong usage', async () => {
  const job = writeJob('unknown', 'learning_rate: 1\n');
  const { code, stderr } = await runCli(['train', job]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/unknown\.yaml:9: unknown option "learning_rate" \(did you mean "learningRate"\?\)/);
});

test('SIGINT saves a checkpoint and ends with 130; the same command goes on from there', async () => {
  const job = writeJob('interrupted', 'steps: 100000\nsaveEvery: 0\nschedule: constant\nwarmupRatio: 0\n');
  const { child, done } = startCli(['train', job, '--json']);
  await new Promise<void>((resolve) => {
    let seen = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes('"step":3,')) resolve();
    });
  });
  child.kill('SIGINT');
  const { code, stdout } = await done;
  expect(code).toBe(130);
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as unknown;
  expect(last).toEqual({
    error: {
      code: 'ERR_ABORTED',
      message: expect.stringMatching(/^interrupted; saved \S+checkpoint/) as string,
    },
  });
  expect(readdirSync(join(folder, 'interrupted')).some((name) => name.startsWith('checkpoint'))).toBe(true);

  const again = startCli(['train', job, '--json']);
  const first = await new Promise<Line>((resolve) => {
    let seen = '';
    again.child.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      const step = seen
        .split('\n')
        .slice(0, -1)
        .find((line) => line.includes('"type":"step"'));
      if (step !== undefined) resolve(JSON.parse(step) as Line);
    });
  });
  expect(first.step).toBeGreaterThan(3);
  again.child.kill('SIGKILL');
  await again.done;
});

test('a second SIGINT ends at once', async () => {
  const job = writeJob('twice', 'steps: 100000\nsaveEvery: 0\n');
  const { child, done } = startCli(['train', job, '--json']);
  await new Promise<void>((resolve) => child.stdout!.once('data', () => resolve()));
  child.kill('SIGINT');
  child.kill('SIGINT');
  const timer = setInterval(() => child.kill('SIGINT'), 20);
  const { code } = await done;
  clearInterval(timer);
  expect(code).toBe(130);
});
