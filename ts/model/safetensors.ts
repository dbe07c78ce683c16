/** The safetensors container: headers read and checked, headers written. The tensors' bytes are the native side's. */
import { open, type FileHandle } from 'node:fs/promises';
import { MakeSomeNoiseError } from '../errors';
import { describeValue } from '../validate';
import { isObject, unreadable } from './folder';
import { firstRepeatedKey } from './repeated-key';

/** The format's own limit. */
const largestHeader = 100_000_000;
const metadataKey = '__metadata__';

/** Bytes of one element. */
const elementBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

/** Where a tensor lies; begin and end are bytes in `file`. */
export interface StoredTensor {
  name: string;
  dtype: string;
  shape: number[];
  file: string;
  begin: number;
  end: number;
}

/**
 * Reads the header of a safetensors file and holds it against the file's size: every tensor has the bytes that its
 * dtype and shape need, and together they fill the file without gap or overlap.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT
 */
export async function readSafetensorsHeader(path: string): Promise<StoredTensor[]> {
  const { header, dataBegin, fileBytes } = await readHeaderBytes(path);
  const entries = parseHeader(path, header);
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(entries)) {
    if (name === metadataKey) continue;
    tensors.push(readEntry(path, name, entry, dataBegin, fileBytes));
  }
  checkLayout(path, tensors, dataBegin, fileBytes);
  return tensors;
}

async function readHeaderBytes(path: string) {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const fileBytes = (await file.stat()).size;
    if (fileBytes < 8) {
      throw malformed(path, `truncated: ${fileBytes} bytes, a safetensors file has at least 8`);
    }
    const prefix = Buffer.alloc(8);
    await file.read(prefix, 0, 8, 0);
    const headerBytes = prefix.readBigUInt64LE();
    if (headerBytes > largestHeader) {
      throw malformed(path, `header of ${headerBytes} bytes; the format allows ${largestHeader}`);
    }
    const dataBegin = 8 + Number(headerBytes);
    if (dataBegin > fileBytes) {
      throw malformed(
        path,
        `truncated: the header should end at byte ${dataBegin}, the file at ${fileBytes}`,
      );
    }
    const header = Buffer.alloc(Number(headerBytes));
    await file.read(header, 0, header.length, 8);
    return { header, dataBegin, fileBytes };
  } catch (cause) {
    throw cause instanceof MakeSomeNoiseError ? cause : unreadable(path, cause);
  } finally {
    await file?.close();
  }
}

function parseHeader(path: string, header: Buffer): Record<string, unknown> {
  let text: string;
  let entries: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    entries = JSON.parse(text);
  } catch (cause) {
    throw malformed(path, `the header is not JSON (${(cause as Error).message})`, cause);
  }
  if (!isObject(entries)) throw malformed(path, 'the header is not a JSON object');
  const repeated = firstRepeatedKey(text);
  if (repeated !== undefined) throw malformed(path, `tensor ${JSON.stringify(repeated)} is listed twice`);
  return entries;
}

function readEntry(
  path: string,
  name: string,
  entry: unknown,
  dataBegin: number,
  fileBytes: number,
): StoredTensor {
  const where = `tensor ${JSON.stringify(name)}`;
  if (!isObject(entry))
    throw malformed(path, `${where}: expected an object, received ${describeValue(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(elementBytes, dtype)) {
    throw malformed(path, `${where}: unknown dtype ${describeValue(dtype)}`);
  }
  if (!isCountArray(shape)) {
    throw malformed(path, `${where}: shape: expected an array of sizes, received ${JSON.stringify(shape)}`);
  }
  if (!isCountArray(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw malformed(
      path,
      `${where}: data_offsets: expected [begin, end], received ${JSON.stringify(offsets)}`,
    );
  }
  const begin = dataBegin + offsets[0]!;
  const end = dataBegin + offsets[1]!;
  if (end > fileBytes) {
    throw malformed(path, `truncated: ${where} should end at byte ${end}, the file at ${fileBytes}`);
  }
  const needed = shape.reduce((product, size) => product * size, elementBytes[dtype]!);
  if (needed !== end - begin) {
    const stored = `${dtype} [${shape.join(', ')}]`;
    throw malformed(path, `${where}: ${stored} needs ${needed} bytes, data_offsets give ${end - begin}`);
  }
  return { name, dtype, shape, file: path, begin, end };
}

function checkLayout(path: string, tensors: StoredTensor[], dataBegin: number, fileBytes: number): void {
  const inOrder = [...tensors].sort((left, right) => left.begin - right.begin || left.end - right.end);
  let position = dataBegin;
  let previous = 'the header';
  for (const { name, begin, end } of inOrder) {
    const next = `tensor ${JSON.stringify(name)}`;
    if (begin < position) throw malformed(path, `${next} overlaps ${previous}`);
    if (begin > position) throw malformed(path, `${begin - position} bytes between ${previous} and ${next}`);
    position = end;
    previous = next;
  }
  if (position < fileBytes) {
    throw malformed(
      path,
      `${fileBytes - position} bytes behind the last tensor; the file is not what its header says`,
    );
  }
}

function isCountArray(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && (item as number) >= 0);
}

function malformed(path: string, what: string, cause?: unknown): MakeSomeNoiseError {
  return new MakeSomeNoiseError(
    'ERR_MODEL_FORMAT',
    `${path}: ${what}`,
    cause === undefined ? undefined : { cause },
  );
}

/** A tensor to be written. */
export interface TensorToWrite {
  name: string;
  shape: readonly number[];
}

/** Bytes of the tensor in a file. */
export function storedBytes(tensor: TensorToWrite, dtype: 'F32' | 'BF16'): number {
  return tensor.shape.reduce((product, size) => product * size, elementBytes[dtype]!);
}

/**
 * The header, length prefix included, of a file that holds the tensors one behind another in this order. It is padded
 * with spaces so that the data begin at a multiple of 8.
 */
export function composeSafetensorsHeader(
  tensors: readonly TensorToWrite[],
  dtype: 'F32' | 'BF16',
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Uint8Array {
  const entries: Array<[string, unknown]> = [[metadataKey, metadata]];
  let position = 0;
  for (const tensor of tensors) {
    const end = position + storedBytes(tensor, dtype);
    entries.push([tensor.name, { dtype, shape: tensor.shape, data_offsets: [position, end] }]);
    position = end;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)), 'utf8');
  const padded = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  json.copy(header, 8);
  return header;
}
