import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { composeSafetensorsHeader, readSafetensorsHeader } from '../../../ts/model/safetensors';
import { errorOf, temporaryFolder, writeSafetensors } from '../../support/folders';

const folder = temporaryFolder();
const file = join(folder, 'model.safetensors');
const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const messageFor = async (...content: [Record<string, unknown> | string, number, bigint?]) => {
  writeSafetensors(file, ...content);
  const error = await errorOf(() => readSafetensorsHeader(file));
  expect(error.code).toBe('ERR_MODEL_FORMAT');
  expect(error.message.startsWith(`${file}: `)).toBe(true);
  return error.message.slice(file.length + 2);
};

test('tensors with their place in the file', async () => {
  const header = {
    b: entry('F16', [2, 2], 4, 12),
    __metadata__: { format: 'pt' },
    a: entry('F32', [], 0, 4),
  };
  writeSafetensors(file, header, 12);
  const data = 8 + JSON.stringify(header).length;
  expect(await readSafetensorsHeader(file)).toEqual([
    { name: 'b', dtype: 'F16', shape: [2, 2], file, begin: data + 4, end: data + 12 },
    { name: 'a', dtype: 'F32', shape: [], file, begin: data, end: data + 4 },
  ]);
});

test('an empty tensor takes no bytes', async () => {
  writeSafetensors(file, { a: entry('F32', [0, 4], 0, 0), b: entry('U8', [3], 0, 3) }, 3);
  expect(await readSafetensorsHeader(file)).toHaveLength(2);
});

test.each<[string, [Record<string, unknown> | string, number, bigint?], RegExp]>([
  ['header length beyond the file', ['{}', 0, 99n], /^truncated: the header should end at byte 107/],
  ['header length beyond the format', ['{}', 0, 100_000_001n], /^header of 100000001 bytes/],
  ['header length beyond 2^53', ['{}', 0, 2n ** 64n - 1n], /^header of 18446744073709551615 bytes/],
  ['header length too short', ['{"a":1}', 0, 3n], /^the header is not JSON/],
  ['not JSON', ['hello', 0], /^the header is not JSON/],
  ['an array', ['[1]', 0], /^the header is not a JSON object/],
  ['entry is a number', [{ a: 1 }, 0], /^tensor "a": expected an object, received 1/],
  ['dtype unknown', [{ a: entry('F12', [1], 0, 2) }, 2], /^tensor "a": unknown dtype "F12"/],
  ['dtype of the prototype', [{ a: entry('toString', [1], 0, 2) }, 2], /unknown dtype "toString"/],
  ['dtype missing', [{ a: { shape: [], data_offsets: [0, 0] } }, 0], /unknown dtype undefined/],
  [
    'negative size',
    [{ a: entry('F32', [-1], 0, 4) }, 4],
    /shape: expected an array of sizes, received \[-1\]/,
  ],
  ['fractional size', [{ a: entry('F32', [1.5], 0, 6) }, 6], /shape: expected an array of sizes/],
  [
    'backward offsets',
    [{ a: entry('F32', [1], 4, 0) }, 4],
    /data_offsets: expected \[begin, end\], received \[4,0\]/,
  ],
  ['negative offset', [{ a: entry('F32', [1], -4, 0) }, 4], /data_offsets: expected/],
  ['one offset', [{ a: { dtype: 'F32', shape: [1], data_offsets: [4] } }, 4], /data_offsets: expected/],
  ['beyond the file', [{ a: entry('F32', [2], 0, 8) }, 4], /^truncated: tensor "a" should end at byte/],
  [
    'shape and offsets differ',
    [{ a: entry('F32', [3], 0, 8) }, 8],
    /F32 \[3\] needs 12 bytes, data_offsets give 8/,
  ],
  [
    'sizes overflow',
    [{ a: entry('F32', [2 ** 50, 2 ** 50], 0, 8) }, 8],
    /needs 5\.07e\+30|needs 5\.0\d+e\+30/,
  ],
  [
    'overlap',
    [{ a: entry('F32', [2], 0, 8), b: entry('F32', [2], 4, 12) }, 12],
    /^tensor "b" overlaps tensor "a"/,
  ],
  [
    'same place',
    [{ a: entry('F32', [2], 0, 8), b: entry('F32', [2], 0, 8) }, 8],
    /^tensor "b" overlaps tensor "a"/,
  ],
  [
    'gap',
    [{ a: entry('U8', [1], 0, 1), b: entry('U8', [1], 3, 4) }, 4],
    /^2 bytes between tensor "a" and tensor "b"/,
  ],
  ['oversized', [{ a: entry('U8', [1], 0, 1) }, 9], /^8 bytes behind the last tensor/],
])('%s', async (_, content, message) => {
  expect(await messageFor(...content)).toMatch(message);
});

test('a tensor listed twice, also under an escaped name', async () => {
  const one = JSON.stringify(entry('U8', [1], 0, 1));
  expect(await messageFor(`{"x":${one},"y}\\"":${one},"x":${one}}`, 1)).toBe('tensor "x" is listed twice');
  expect(await messageFor(`{"x":${one}, "\\u0078":${one}}`, 1)).toBe('tensor "x" is listed twice');
});

test('files that are no files', async () => {
  writeFileSync(file, 'short');
  expect((await errorOf(() => readSafetensorsHeader(file))).message).toMatch(/truncated: 5 bytes/);
  const missing = join(folder, 'missing');
  expect((await errorOf(() => readSafetensorsHeader(missing))).message).toMatch(/cannot be read \(ENOENT/);
  expect((await errorOf(() => readSafetensorsHeader(folder))).code).toBe('ERR_MODEL_FORMAT');
});

test('a composed header reads back, aligned to 8', async () => {
  for (const name of ['a', 'ab', 'äöü', 'model.layers.0.mlp.up_proj.weight']) {
    const tensors = [
      { name, shape: [2, 3] },
      { name: 'second', shape: [5] },
    ];
    const header = composeSafetensorsHeader(tensors, 'BF16');
    expect(header.length % 8).toBe(0);
    writeFileSync(file, Buffer.concat([header, Buffer.alloc(22)]));
    const read = await readSafetensorsHeader(file);
    expect(
      read.map((tensor) => [tensor.name, tensor.dtype, tensor.shape, tensor.begin - header.length]),
    ).toEqual([
      [name, 'BF16', [2, 3], 0],
      ['second', 'BF16', [5], 12],
    ]);
  }
});
