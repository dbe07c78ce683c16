/** Saving a model's tensors: what is written, and what is left behind when it cannot be. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MakeSomeNoiseError } from '../../ts/errors';
import type { NativeModel, NativeTensorEntry } from '../../ts/native/contract';
import { tinyShape } from '../support/shapes';
import { temporaryFolder } from '../support/temporary-folder';
import { device, ignore, native, never, rejection, request, tinyModel } from './support';

const bytesOf = { F32: 4, BF16: 2 };

/** The header of a file with all tensors of the model, and the table to load it with. */
function describeFile(
  model: NativeModel,
  file: string,
  dtype: 'F32' | 'BF16',
): { header: Uint8Array; names: string[]; entries: NativeTensorEntry[] } {
  const table: Record<string, unknown> = {};
  const entries: NativeTensorEntry[] = [];
  let end = 0;
  for (const { name, shape } of model.tensorSpecs()) {
    const begin = end;
    end += shape.reduce((product, size) => product * size, 1) * bytesOf[dtype];
    table[name] = { dtype, shape, data_offsets: [begin, end] };
    entries.push({ name, dtype, shape, file, begin, end });
  }
  const json = Buffer.from(JSON.stringify(table));
  const header = Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer), json]);
  for (const entry of entries) {
    entry.begin += header.length;
    entry.end += header.length;
  }
  return { header, names: entries.map((entry) => entry.name), entries };
}

const logitsOf = (model: NativeModel): Promise<Float32Array> =>
  model.logits(Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(-1, 0), 8, never());

let model: NativeModel;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => model.dispose());

test('a model written in F32 and loaded again computes the same bits', async () => {
  const file = join(temporaryFolder(), 'model.safetensors');
  const { header, names, entries } = describeFile(model, file, 'F32');
  await model.writeTensors(file, header, names, 'F32', never());
  const progress: number[][] = [];
  const again = await native.loadModel(
    tinyShape(),
    entries,
    'f32',
    device,
    (...numbers) => progress.push(numbers),
    never(),
  );
  expect(await logitsOf(again)).toEqual(await logitsOf(model));
  expect(progress.length).toBeGreaterThan(1);
  const total = progress[0]![1];
  expect(progress.at(-1)).toEqual([total, total]);
  expect(progress.map(([done]) => done)).toEqual(progress.map(([done]) => done!).sort((a, b) => a - b));
  again.dispose();
});

test('a model written in BF16 is rounded once: writing what was loaded gives the same file', async () => {
  const folder = temporaryFolder();
  const first = join(folder, 'first.safetensors');
  const { header, names, entries } = describeFile(model, first, 'BF16');
  await model.writeTensors(first, header, names, 'BF16', never());
  for (const dtype of ['f32', 'bf16'] as const) {
    const again = await native.loadModel(tinyShape(), entries, dtype, device, undefined, never());
    const second = join(folder, `${dtype}.safetensors`);
    await again.writeTensors(second, header, names, 'BF16', never());
    expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
    again.dispose();
  }
});

test('an existing file is refused and left as it is', async () => {
  const file = join(temporaryFolder(), 'model.safetensors');
  writeFileSync(file, 'precious');
  const { header, names } = describeFile(model, file, 'F32');
  const error = await rejection(model.writeTensors(file, header, names, 'F32', never()));
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: `${file}: cannot be written: File exists; choose another name or remove it`,
  });
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

test('a folder that is missing is named', async () => {
  const file = join(temporaryFolder(), 'nowhere', 'model.safetensors');
  const error = await rejection(model.writeTensors(file, new Uint8Array(8), [], 'F32', never()));
  expect(error).toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: `${file}: cannot be written: No such file or directory`,
  });
});

test('a file that cannot be finished is removed', () => {
  // The shell's limit on the size of files stands for a full disk: the write ends short, then fails.
  const folder = temporaryFolder();
  const file = join(folder, 'model.safetensors');
  const code = `
    const native = require('node-gyp-build')(${JSON.stringify(join(__dirname, '..', '..'))});
    (async () => {
      const shape = ${JSON.stringify(tinyShape({ vocabularySize: 4000 }))};
      const token = native.createCancelToken();
      const model = await native.createModel(shape, 1, 0.1, 'f32', ${JSON.stringify(device)}, token);
      const names = model.tensorSpecs().map((spec) => spec.name);
      await model.writeTensors(${JSON.stringify(file)}, new Uint8Array(8), names, 'F32', token)
        .catch((error) => console.log(error.code + ' ' + error.message));
    })();`;
  const result = spawnSync('sh', ['-c', 'ulimit -f 100; exec "$0" -e "$1"', process.execPath, code], {
    encoding: 'utf8',
  });
  expect(result.stdout).toBe(`ERR_CHECKPOINT ${file}: cannot be written: File too large\n`);
  expect(readdirSync(folder)).toEqual([]);
});

test('a cancelled or failing save leaves no file', async () => {
  const file = join(temporaryFolder(), 'model.safetensors');
  const { header, names } = describeFile(model, file, 'F32');
  const cancel = native.createCancelToken();
  native.cancel(cancel);
  expect(await rejection(model.writeTensors(file, header, names, 'F32', cancel))).toMatchObject({
    code: 'ERR_ABORTED',
  });
  const unknown = await rejection(model.writeTensors(file, header, [...names, 'other'], 'F32', never()));
  expect(unknown).toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: 'names: the model has no tensor "other"',
  });
  expect(existsSync(file)).toBe(false);
});

test('a folder in the place of the file is refused', async () => {
  const file = join(temporaryFolder(), 'model.safetensors');
  mkdirSync(file);
  expect(await rejection(model.writeTensors(file, new Uint8Array(8), [], 'F32', never()))).toMatchObject({
    code: 'ERR_CHECKPOINT',
  });
});

test('a save waits for the jobs before it', async () => {
  const file = join(temporaryFolder(), 'model.safetensors');
  const events: string[] = [];
  await Promise.all([
    model.generate(request(), ignore, ignore, never()).then(() => events.push('generated')),
    model.writeTensors(file, new Uint8Array(8), [], 'F32', never()).then(() => events.push('written')),
  ]);
  expect(events).toEqual(['generated', 'written']);
  expect(readFileSync(file)).toHaveLength(8);
});
