import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openModelFolder } from '../../../ts/model/folder';
import { readWeights } from '../../../ts/model/weights';
import { errorOf, temporaryFolder, writeSafetensors } from '../../support/folders';
import { describeShared, sharedFolder } from '../../support/testing';

const folder = temporaryFolder();
const index = join(folder, 'model.safetensors.index.json');
const one = { dtype: 'F32', shape: [1], data_offsets: [0, 4] };

async function readIndex(content: unknown) {
  writeFileSync(index, typeof content === 'string' ? content : JSON.stringify(content));
  return readWeights({ kind: 'index', path: index });
}

test('tensors come from the file that the index names', async () => {
  writeSafetensors(join(folder, 'one.safetensors'), { a: one, b: { ...one, data_offsets: [4, 8] } }, 8);
  writeSafetensors(join(folder, 'two.safetensors'), { a: one }, 4);
  const table = await readIndex({ weight_map: { b: 'one.safetensors', a: 'two.safetensors' } });
  expect(table.map(({ name, file }) => [name, file])).toEqual([
    ['b', join(folder, 'one.safetensors')],
    ['a', join(folder, 'two.safetensors')],
  ]);
});

test.each(['../x.safetensors', '/etc/passwd', '..', '.', '', 'a/../../x', 5, null, 'x\0y'])(
  'weight_map may not point outside the folder: %j',
  async (file) => {
    const error = await errorOf(() => readIndex({ weight_map: { a: file } }));
    expect(error.code).toBe('ERR_MODEL_FORMAT');
    expect(error.message).toContain(`${index}: weight_map.a: expected a file inside the model's folder`);
  },
);

test('what is missing is named', async () => {
  const messageFor = async (content: unknown) => (await errorOf(() => readIndex(content))).message;
  expect(await messageFor({ weight_map: { a: 'gone.safetensors' } })).toBe(
    `${index}: the folder lacks gone.safetensors; download the model again, all files of it`,
  );
  expect(await messageFor({ weight_map: { c: 'two.safetensors' } })).toContain(
    'weight_map puts tensor "c" into two.safetensors, which lacks it',
  );
  expect(await messageFor({})).toContain('weight_map: expected an object');
  expect(await messageFor('{"weight_map": ')).toContain('not valid JSON');
  expect(await messageFor('[]')).toContain('expected a JSON object');
});

test('weights of a dtype that is not computed', async () => {
  const file = writeSafetensors(join(folder, 'w.safetensors'), { a: { ...one, dtype: 'I32' } }, 4);
  const error = await errorOf(() => readWeights({ kind: 'file', path: file }));
  expect(error.code).toBe('ERR_UNSUPPORTED');
  expect(error.message).toContain('tensor "a" is I32; weights are read as F32, F16, BF16');
});

test('rotary buffers of old checkpoints are left out', async () => {
  const name = 'model.layers.0.self_attn.rotary_emb.inv_freq';
  const file = writeSafetensors(join(folder, 'w.safetensors'), { [name]: one }, 4);
  expect(await readWeights({ kind: 'file', path: file })).toEqual([]);
});

test('a folder without config or weights', async () => {
  const messageFor = async (path: string) => (await errorOf(() => openModelFolder(path))).message;
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  expect(await messageFor(join(empty, 'nowhere'))).toContain('no such folder');
  expect(await messageFor(empty)).toContain(`${join(empty, 'config.json')}: no such file`);
  writeFileSync(join(empty, 'config.json'), '{}');
  expect(await messageFor(empty)).toContain('no weights; expected model.safetensors');
  writeFileSync(join(empty, 'pytorch_model.bin'), '');
  expect(await messageFor(empty)).toContain('only safetensors are read');
});

describeShared('reference models', () => {
  test('a sharded model', async () => {
    const { weights } = await openModelFolder(join(sharedFolder, 'reference', 'llama-f16-sharded'));
    const table = await readWeights(weights);
    expect(weights.kind).toBe('index');
    expect(new Set(table.map((entry) => entry.file)).size).toBe(3);
    expect(new Set(table.map((entry) => entry.dtype))).toEqual(new Set(['F16']));
    expect(table.reduce((sum, entry) => sum + entry.end - entry.begin, 0)).toBe(404320);
  });
});
