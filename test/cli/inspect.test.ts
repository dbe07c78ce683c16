import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Inspection } from '../../ts/cli/inspect-folder';
import { runCli, saveTinyModel } from './run-cli';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const model = join(folder, 'model');
beforeAll(() => saveTinyModel(model));

async function inspect(path: string): Promise<{ code: number | null; inspection: Inspection }> {
  const { code, stdout } = await runCli(['inspect', path, '--json']);
  return { code, inspection: JSON.parse(stdout) as Inspection };
}

test('a whole folder is described and has no problems', async () => {
  const { code, inspection } = await inspect(model);
  expect(code).toBe(0);
  const layer = 2 * 32 + 4 * 32 * 32 + 3 * 64 * 32;
  expect(inspection).toMatchObject({
    config: { architecture: 'LlamaForCausalLM', shape: { layers: 2, tiedHead: true }, eosTokens: [3] },
    weights: { parameters: 128 * 32 + 2 * layer + 32, files: 1, dtypes: [{ dtype: 'F32', tensors: 20 }] },
    tokenizer: { vocabularySize: 128, specialTokens: 4, chatTemplate: true },
    problems: [],
  });
});

test('as text, with every tensor on request', async () => {
  const { code, stdout } = await runCli(['inspect', model, '--tensors']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^architecture +LlamaForCausalLM$/m);
  expect(stdout).toMatch(/^model\.layers\.1\.mlp\.down_proj\.weight +F32 +32 × 64$/m);
  expect(stdout).toContain('no problems found');
});

test('what does not fit is listed, and the exit code is 1', async () => {
  const broken = join(folder, 'broken');
  cpSync(model, broken, { recursive: true });
  const file = join(broken, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(
    file,
    JSON.stringify({ ...config, num_hidden_layers: 3, intermediate_size: 65, vocab_size: 100 }),
  );
  writeFileSync(join(broken, 'tokenizer_config.json'), '{');
  const { code, inspection } = await inspect(broken);
  expect(code).toBe(1);
  expect(inspection.problems).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/tokenizer_config\.json: not valid JSON/),
      expect.stringMatching(
        /"model\.embed_tokens\.weight" is \[128, 32\], config\.json asks for \[100, 32\]/,
      ),
      expect.stringMatching(/tensor "model\.layers\.2\.input_layernorm\.weight" is missing/),
    ]),
  );
});

test('doctor describes the machine', async () => {
  const { code, stdout } = await runCli(['doctor', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    node: { version: process.versions.node },
    platform: `${process.platform}-${process.arch}`,
    devices: expect.arrayContaining([expect.objectContaining({ kind: 'cpu', available: true })]) as unknown,
    problems: [],
  });
  expect((await runCli(['doctor'])).stdout).toContain('all is well');
});
