import { runCli } from './run-cli';

const commands = ['quickstart', 'train', 'generate', 'denoise', 'score', 'inspect', 'doctor', 'bench'];

test.each(commands)('msn %s --help shows usage, --json and examples', async (name) => {
  const { code, stdout, stderr } = await runCli([name, '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`Usage: msn ${name}`);
  expect(stdout).toContain('--json');
  expect(stdout).toMatch(new RegExp(`Examples:\n(  msn.*\n)*.*msn ${name}`));
});

test('msn --help lists every command', async () => {
  const { code, stdout } = await runCli(['--help']);
  expect(code).toBe(0);
  for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
});

test('msn --version', async () => {
  const { code, stdout } = await runCli(['--version']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
});

test('msn alone shows the help and is wrong usage', async () => {
  const { code, stderr } = await runCli([]);
  expect(code).toBe(2);
  expect(stderr).toContain('Usage: msn');
});

test.each([
  [['trian'], /^ERR_INVALID_ARGUMENT: unknown command 'trian'/],
  [['doctor', '--jsn'], /^ERR_INVALID_ARGUMENT: unknown option '--jsn'\n\(Did you mean --json\?\)/],
  [['generate'], /^ERR_INVALID_ARGUMENT: missing required argument 'model'/],
  [['score', 'nowhere'], /^ERR_INVALID_ARGUMENT: text: give a text as argument/],
  [
    ['generate', 'nowhere', 'x', '--file', 'y'],
    /^ERR_INVALID_ARGUMENT: prompt: give it as an argument, with --file or/,
  ],
  [['generate', 'nowhere', 'x', '--raw', '--system', 'y'], /^ERR_INVALID_ARGUMENT: system: a raw prompt/],
  [['train', '--noise', 'false', '--noise.length', '5'], /^ERR_INVALID_ARGUMENT: noise: give either/],
])('msn %j is wrong usage', async (words, message) => {
  const { code, stdout, stderr } = await runCli(words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('with --json an error is JSON on standard output, and standard error is silent', async () => {
  const { code, stdout, stderr } = await runCli(['inspect', '/no/such/folder', '--json']);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'ERR_MODEL_FORMAT', message: expect.stringContaining('/no/such/folder') as string },
  });
});

test('wrong usage with --json is JSON too', async () => {
  const { code, stdout } = await runCli(['doctor', '--what', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ERR_INVALID_ARGUMENT' } });
});

test('an error is one line without a stack', async () => {
  const { stderr } = await runCli(['inspect', '/no/such/folder']);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});
