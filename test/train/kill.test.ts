/** SIGKILL at many moments of a run that saves behind every step: the last checkpoint is whole, and going on is exact. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsHeader } from '../../ts/model/safetensors';
import { readCheckpoint } from '../../ts/train/checkpoint';
import { runChild } from '../support/child';
import { temporaryFolder } from '../support/temporary-folder';
import { fakeTrain, sha256, writeRows } from './session-support';

const child = join(__dirname, 'kill-child.ts');

async function expectWhole(output: string): Promise<number> {
  const names = readdirSync(output).filter((name) => name.startsWith('checkpoint-'));
  for (const name of names) {
    const { state } = await readCheckpoint(join(output, name));
    expect(name).toBe(`checkpoint-${state.step}`);
    for (const file of ['model', 'first-moments', 'second-moments']) {
      // The header is held against the size of the file.
      expect(await readSafetensorsHeader(join(output, name, `${file}.safetensors`))).toHaveLength(3);
    }
    expect(JSON.parse(readFileSync(join(output, name, 'config.json'), 'utf8'))).toEqual({});
  }
  return Math.max(0, ...names.map((name) => Number(name.split('-')[1])));
}

test('a run killed again and again ends with the bits of one that was not', async () => {
  const folder = temporaryFolder();
  const data = writeRows(folder);
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
  await fakeTrain({ data, output: whole, steps: 20, saveEvery: 0 });

  let last = 0;
  // Three files a checkpoint: in the first, second and third of one, at its rename, and while an old one is removed.
  for (const [writes, afterMs] of [
    [1, 0],
    [2, 4],
    [3, 12],
    [3, 26],
    [5, 10],
    [6, 25],
    [6, 28],
    [9, 30],
  ] as const) {
    expect(await runChild(child, data, killed, `${writes}`, `${afterMs}`)).toBe('SIGKILL');
    const latest = await expectWhole(killed);
    expect(latest).toBeGreaterThanOrEqual(last);
    last = latest;
  }
  expect(last).toBeGreaterThan(2);
  expect(last).toBeLessThan(20);
  expect(await runChild(child, data, killed)).toBe(0);
  expect(await expectWhole(killed)).toBe(20);
  expect(readdirSync(killed).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(sha256(join(killed, 'model.safetensors'))).toBe(sha256(join(whole, 'model.safetensors')));
}, 60_000);
