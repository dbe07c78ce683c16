/** Temporary folders and hand-made model files, right and wrong, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MakeSomeNoiseError } from '../../ts/errors';

/** A folder of its own for the test file that calls this at its top; removed when its tests are done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'makesomenoise-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: number[];
}

/** Writes a safetensors file exactly as told, however wrong. */
export function writeSafetensors(
  path: string,
  header: Record<string, unknown> | string,
  dataBytes: number,
  headerLength?: bigint,
): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(headerLength ?? BigInt(text.length));
  writeFileSync(path, Buffer.concat([prefix, text, Buffer.alloc(dataBytes)]));
  return path;
}

/** The error that a call or a promise ends with. */
export async function errorOf(action: () => unknown): Promise<MakeSomeNoiseError> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(MakeSomeNoiseError);
    return error as MakeSomeNoiseError;
  }
  throw new Error('no error was thrown');
}
