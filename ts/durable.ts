/** Files and folders that appear whole or not at all, and stay when the power fails. */
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MakeSomeNoiseError } from './errors';

/** What is under way or on its way out has this prefix, so that a later start can tell it from what is whole. */
const PARTIAL = '.partial-';

/** The system's refusal as ERR_CHECKPOINT: what, where, why. */
export function unwritable(path: string, cause: unknown): MakeSomeNoiseError {
  if (cause instanceof MakeSomeNoiseError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = code === 'ENOSPC' ? 'no space left on the device; make room and resume' : message;
  return new MakeSomeNoiseError('ERR_CHECKPOINT', `${path}: cannot be written: ${reason}`, { cause });
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive mkdir never returns where the system says
 * that a parent is missing although it is there, as in /proc.
 */
export async function makeFolders(path: string): Promise<void> {
  const missing: string[] = [];
  for (let folder = resolve(path); !(await exists(folder)); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    await mkdir(folder).catch((cause: unknown) => {
      // Another process may have made it meanwhile.
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Writes a new file down to the disk. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces a file at once: readers see the old content or the new. */
export async function replaceDurably(path: string, content: string): Promise<void> {
  const partial = partialSibling(path);
  try {
    await rm(partial, { force: true });
    await writeDurably(partial, content);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await discard(partial);
    throw unwritable(path, cause);
  }
}

/**
 * Makes a folder whose content `fill` writes: in a sibling with another name, synced, then renamed. When `fill`
 * fails, nothing is left. The folder itself must not exist.
 */
export async function createFolderAtomically(
  path: string,
  fill: (partial: string) => Promise<void>,
): Promise<void> {
  const partial = partialSibling(path);
  try {
    await rm(partial, { recursive: true, force: true });
    await makeFolders(partial);
    await fill(partial);
    await syncFolder(partial);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    await discard(partial);
    throw unwritable(path, cause);
  }
}

/**
 * Fills a folder beside `folder`, then moves its files in, one by one, each replacing the one of its name: readers
 * never see half a file. `last` names the file that is moved behind all others.
 */
export async function replaceFilesDurably(
  folder: string,
  last: string,
  fill: (partial: string) => Promise<void>,
): Promise<void> {
  const partial = join(folder, `${PARTIAL}files`);
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await fill(partial);
    const names = (await readdir(partial)).sort((a, b) => Number(a === last) - Number(b === last));
    for (const name of names) await rename(join(partial, name), join(folder, name));
    await rm(partial, { recursive: true });
    await syncFolder(folder);
  } catch (cause) {
    await discard(partial);
    throw unwritable(folder, cause);
  }
}

/** Takes a folder away at once: what a kill leaves of it no longer has its name. */
export async function removeFolderAtomically(path: string): Promise<void> {
  const partial = partialSibling(path);
  await rm(partial, { recursive: true, force: true });
  await rename(path, partial);
  await rm(partial, { recursive: true, force: true });
}

/** Removes what an interrupted run left half-written or half-removed; returns the names. */
export async function removePartials(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(PARTIAL));
  for (const name of names) await rm(join(folder, name), { recursive: true, force: true });
  return names;
}

/** Behind a failure, whose reason matters more than that of a failing removal. */
export function discard(partial: string): Promise<void> {
  return rm(partial, { recursive: true, force: true }).catch(() => undefined);
}

function partialSibling(path: string): string {
  return join(dirname(path), PARTIAL + basename(path));
}

/** Makes renames in a folder durable. Windows cannot open folders and needs no such thing. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
