/** SIGKILL at many moments of a run that saves behind every step: the last checkpoint is whole, and going on is exact. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { readSafetensorsHeader } from '../../ts/model/safetensors';
import { readCheckpoint } from '../../ts/train/checkpoint';
import { temporaryFolder } from '../support/temporary-folder';
import { fakeTrain, sha256, writeRows } from './session-support';

/**
 * Runs the child until it begins the `writes`-th file of this session, then kills it `afterMs` later. Returns whether
 * it had ended by itself.
 */
async function runUntil(data: string, output: string, writes: number, afterMs: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [
      '-r',
      join(__dirname, '..', 'support', 'typescript.cjs'),
      join(__dirname, 'kill-child.ts'),
      data,
      output,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  let seen = 0;
  let done = false;
  for await (const line of createInterface(child.stdout)) {
    if (line === 'done') done = true;
    else if (++seen === writes) {
      await delay(afterMs);
      child.kill('SIGKILL');
    }
  }
  await ended;
  return done;
}

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
  await fakeTrain({ data, output: whole, steps: 12, saveEvery: 0 });

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
    expect(await runUntil(data, killed, writes, afterMs)).toBe(false);
    const latest = await expectWhole(killed);
    expect(latest).toBeGreaterThanOrEqual(last);
    last = latest;
  }
  expect(last).toBeGreaterThan(2);
  expect(last).toBeLessThan(12);
  expect(await runUntil(data, killed, Infinity, 0)).toBe(true);
  expect(await expectWhole(killed)).toBe(12);
  expect(readdirSync(killed).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(sha256(join(killed, 'model.safetensors'))).toBe(sha256(join(whole, 'model.safetensors')));
}, 60_000);
