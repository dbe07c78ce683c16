import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, saveTinyModel, startCli } from './run-cli';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const model = join(folder, 'model');
beforeAll(() => saveTinyModel(model));

interface Generation {
  text: string;
  tokens: number[];
  finishReason: string;
  stats: { newTokens: number; steps: number; promptTokens: number };
}

async function generateJson(words: string[], input = ''): Promise<Generation> {
  const { code, stdout, stderr } = await runCli(
    ['generate', model, ...words, '--max-new-tokens', '16', '--json'],
    input,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Generation;
}

test('the prompt comes as an argument, from a file or from standard input', async () => {
  const file = join(folder, 'prompt.txt');
  writeFileSync(file, 'Sort 3 1 2');
  const generation = await generateJson(['Sort 3 1 2']);
  expect(generation.tokens).toHaveLength(generation.stats.newTokens);
  // <|user|>, ten characters, <|assistant|>
  expect(generation.stats.promptTokens).toBe(12);
  expect((await generateJson(['--file', file])).tokens).toEqual(generation.tokens);
  expect((await generateJson([], 'Sort 3 1 2')).tokens).toEqual(generation.tokens);
});

test('--raw leaves the chat template out', async () => {
  expect((await generateJson(['Sort 3 1 2', '--raw'])).stats.promptTokens).toBe(10);
});

test('every method gives the same text', async () => {
  const methods = ['autoregressive', 'jacobi', 'tr-jacobi'];
  const texts = await Promise.all(methods.map((method) => generateJson(['Hello', '--method', method])));
  expect(texts[1]!.tokens).toEqual(texts[0]!.tokens);
  expect(texts[2]!.tokens).toEqual(texts[0]!.tokens);
  expect(texts[0]!.stats.steps).toBe(texts[0]!.stats.newTokens);
});

test('without --json the text is on standard output and the statistics on standard error', async () => {
  const { code, stdout, stderr } = await runCli(['generate', model, 'Hello', '--max-new-tokens', '8']);
  expect(code).toBe(0);
  expect(stdout).toBe(`${(await generateJson(['Hello'])).text.slice(0, stdout.length - 1)}\n`);
  expect(stderr).toMatch(
    /^\d+ tokens in \d+ steps: \d+\.\d\d per step, [\d.]+ tokens\/s, prompt of 7 tokens/,
  );
});

test.each([
  [['--max-new-tokens', '-1'], /maxNewTokens: expected/],
  [['--temperature', 'hot'], /sampling\.temperature: expected .*, received "hot"/],
  [['--method', 'magic'], /decoding\.method: expected .*, received "magic"/],
  [['--tree', '{nodes: 0}'], /decoding\.tree/],
])('%j is wrong usage, in the words of the library', async (words, message) => {
  const { code, stderr } = await runCli(['generate', model, 'Hello', ...words]);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test('a reader that goes away is no failure', async () => {
  const { child, done } = startCli(['generate', model, 'Hello', '--max-new-tokens', '100', '--raw']);
  child.stdout!.destroy();
  const { code, stderr } = await done;
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/EPIPE/);
});

test('denoise shows every pass', async () => {
  const { code, stdout } = await runCli(['denoise', model, 'Once upon', '--noise.length', '4', '--json']);
  expect(code).toBe(0);
  const result = JSON.parse(stdout) as { tokens: number[]; trajectory: number[][]; iterations: number };
  expect(result.tokens).toHaveLength(4);
  expect(result.trajectory).toHaveLength(result.iterations + 1);
  const text = await runCli(['denoise', model, 'Once upon', '--noise.length', '4']);
  expect(text.stdout).toMatch(/^noise {4}.*\npass 1 {3}/);
  expect(text.stdout).toContain('of 4 tokens are those of autoregressive decoding');
});

test('score tells perplexity, and every token on request', async () => {
  const json = await runCli(['score', model, 'abc', '--json']);
  const { logProbabilities, perplexity } = JSON.parse(json.stdout) as {
    logProbabilities: number[];
    perplexity: number;
  };
  expect(logProbabilities).toHaveLength(2);
  const mean = (logProbabilities[0]! + logProbabilities[1]!) / 2;
  expect(perplexity).toBeCloseTo(Math.exp(-mean), 3);
  const text = await runCli(['score', model, 'abc', '--by-token']);
  expect(text.stdout).toMatch(/"b" +-\d/);
  expect(text.stdout).toContain(`perplexity       ${perplexity.toFixed(3)}`);
});
