import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createFolderAtomically,
  removeFolderAtomically,
  removePartials,
  replaceDurably,
  replaceFilesDurably,
  writeDurably,
} from '../../ts/durable';
import { temporaryFolder } from '../support/temporary-folder';
import { fakeTrain, writeRows } from './session-support';

test('a folder is there only when it is full', async () => {
  const path = join(temporaryFolder(), 'made');
  await createFolderAtomically(path, async (partial) => {
    await writeDurably(join(partial, 'a'), 'A');
    expect(existsSync(path)).toBe(false);
  });
  expect(readFileSync(join(path, 'a'), 'utf8')).toBe('A');
});

test('nothing is left of a folder that could not be filled', async () => {
  const parent = temporaryFolder();
  await expect(
    createFolderAtomically(join(parent, 'made'), async (partial) => {
      await writeDurably(join(partial, 'a'), 'A');
      throw new Error('broken');
    }),
  ).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: expect.stringMatching(/made: cannot be written: broken$/) as string,
  });
  expect(readdirSync(parent)).toEqual([]);
});

test('leftovers of an earlier attempt do not stand in the way, and can be found', async () => {
  const parent = temporaryFolder();
  mkdirSync(join(parent, '.partial-made'));
  writeFileSync(join(parent, '.partial-made', 'old'), '');
  await createFolderAtomically(join(parent, 'made'), () => Promise.resolve());
  expect(readdirSync(join(parent, 'made'))).toEqual([]);
  mkdirSync(join(parent, '.partial-other'));
  expect(await removePartials(parent)).toEqual(['.partial-other']);
  expect(readdirSync(parent)).toEqual(['made']);
  await removeFolderAtomically(join(parent, 'made'));
  expect(readdirSync(parent)).toEqual([]);
});

test('files are replaced one by one, the named one last', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'b'), 'old');
  writeFileSync(join(folder, 'kept'), 'kept');
  await replaceFilesDurably(folder, 'a', async (partial) => {
    for (const name of ['a', 'b']) await writeDurably(join(partial, name), 'new');
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('old');
  });
  expect(readdirSync(folder).sort()).toEqual(['a', 'b', 'kept']);
  expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('new');
  await expect(replaceFilesDurably(folder, 'a', () => Promise.reject(new Error('broken')))).rejects.toThrow(
    /broken/,
  );
  expect(readdirSync(folder).sort()).toEqual(['a', 'b', 'kept']);
});

test('a file is replaced at once', async () => {
  const path = join(temporaryFolder(), 'report.json');
  await replaceDurably(path, 'one');
  await replaceDurably(path, 'two');
  expect(readFileSync(path, 'utf8')).toBe('two');
  await expect(replaceDurably(join(path, 'below'), 'x')).rejects.toMatchObject({ code: 'ERR_CHECKPOINT' });
});

/** A file system of 64 KiB, where this user may mount one. */
function mountTiny(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a full disk', () => {
  const folder = temporaryFolder();
  const mounted = mountTiny(folder);
  afterAll(() => mounted && execFileSync('umount', [folder]));
  const testMounted = mounted ? test : test.skip;

  testMounted(
    'fails the run with the reason, and the checkpoints before it stay whole (needs root)',
    async () => {
      const data = writeRows(temporaryFolder());
      const output = join(folder, 'out');
      // Each checkpoint needs a page for every file and one for the folder; a dozen pages are free.
      const run = fakeTrain({ data, output, saveEvery: 1, keepLast: 20 });
      await expect(run).rejects.toMatchObject({
        code: 'ERR_CHECKPOINT',
        message: expect.stringMatching(
          /checkpoint-\d+: cannot be written: no space left on the device; make room and resume$/,
        ) as string,
      });
      const names = readdirSync(output).filter((name) => name !== 'training-report.json');
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) {
        expect(name).toMatch(/^checkpoint-\d+$/);
        expect(readdirSync(join(output, name))).toContain('trainer-state.json');
      }
    },
  );
});
