/** What the addon refuses: each message names the argument and the field. */
import { MakeSomeNoiseError } from '../../ts/errors';
import type { NativeModel, NativeTensorEntry } from '../../ts/native/contract';
import { tinyShape } from '../support/shapes';
import { device, ignore, native, never, rejection, request, tinyModel } from './support';

let model: NativeModel;
beforeAll(async () => {
  model = await tinyModel();
});
afterAll(() => model.dispose());

const generate = (different: Record<string, unknown>): Promise<void> =>
  model.generate({ ...request(), ...different }, ignore, ignore, never());
const load = (
  shape: unknown,
  tensors: unknown,
  dtype: unknown = 'f32',
  where: unknown = device,
): Promise<unknown> =>
  native.loadModel(shape as never, tensors as never, dtype as never, where as never, undefined, never());
const entry: NativeTensorEntry = { name: 'x', dtype: 'F32', shape: [1], file: '/nowhere', begin: 0, end: 4 };

test.each<[string, () => Promise<unknown>]>([
  ['request: expected an object, received 3', () => model.generate(3 as never, ignore, ignore, never())],
  ['request.prompt: expected an Int32Array, received an array', () => generate({ prompt: [1] })],
  [
    'request.prompt: expected an Int32Array, received another kind of typed array',
    () => generate({ prompt: new Float32Array(1) }),
  ],
  ['request.topK: expected an integer from 0 to 2147483647, received "ten"', () => generate({ topK: 'ten' })],
  ['request.topK: expected an integer from 0 to 2147483647, received 1.5', () => generate({ topK: 1.5 })],
  ['request.topK: expected an integer from 0 to 2147483647, received NaN', () => generate({ topK: NaN })],
  [
    'request.topK: expected an integer from 0 to 2147483647, received undefined',
    () => generate({ topK: undefined }),
  ],
  ['request.seed: expected an integer from 0 to 9007199254740991, received -1', () => generate({ seed: -1 })],
  [
    'request.temperature: expected a finite number, received Infinity',
    () => generate({ temperature: Infinity }),
  ],
  ['request.retrieval: expected true or false, received null', () => generate({ retrieval: null })],
  [
    'request.pathOffsets: expected ascending offsets from 0 to the 2 path columns',
    () => generate({ pathOffsets: Int32Array.of(0, 5), pathColumns: Int32Array.of(1, 2) }),
  ],
  [
    'request.pathOffsets: expected ascending offsets from 0 to the 2 path columns',
    () => generate({ pathOffsets: Int32Array.of(0, 2, -7, 2), pathColumns: Int32Array.of(1, 2) }),
  ],
  [
    'onPrefill: expected a function, received undefined',
    () => model.generate(request(), undefined as never, ignore, never()),
  ],
  [
    'onStep: expected a function, received an object',
    () => model.generate(request(), ignore, {} as never, never()),
  ],
  [
    'cancel: expected a token made by createCancelToken, received an object',
    () => model.score(Int32Array.of(1, 2), {} as never),
  ],
  [
    'cancel: expected a token made by createCancelToken, received an object',
    () => model.score(Int32Array.of(1, 2), model as never),
  ],
  [
    'chunk: expected an integer from 1 to 2147483647, received 0',
    () => model.logits(Int32Array.of(1), Int32Array.of(1), Int32Array.of(-1), 0, never()),
  ],
  [
    'tokens[1]: expected a token id from 0 to 23, received 24',
    () => model.logits(Int32Array.of(1), Int32Array.of(1, 24), Int32Array.of(-1, 0), 8, never()),
  ],
  [
    'parents: expected an earlier node or -1, received 1 at index 1',
    () => model.logits(Int32Array.of(1), Int32Array.of(1, 2), Int32Array.of(-1, 1), 8, never()),
  ],
  [
    'parents: expected one parent for each of 2 tokens, received 1',
    () => model.logits(Int32Array.of(1), Int32Array.of(1, 2), Int32Array.of(-1), 8, never()),
  ],
  [
    'tokens: expected at least one token, received none',
    () => model.logits(Int32Array.of(1), new Int32Array(), new Int32Array(), 8, never()),
  ],
  [
    'nodes: expected prefix and nodes within the context length 256, received 257 positions',
    () => model.timePasses(1, 256, 1, true, never()),
  ],
  ['withLogits: expected true or false, received 1', () => model.timePasses(1, 0, 1, 1 as never, never())],
  [
    'shape.heads: expected an integer from 0 to 9007199254740991, received -4',
    () => load(tinyShape({ heads: -4 }), []),
  ],
  [
    "shape.ropeKind: expected 'default' | 'linear' | 'llama3', received \"yarn\"",
    () => load(tinyShape({ ropeKind: 'yarn' as never }), []),
  ],
  ['tensors: expected an array, received an object', () => load(tinyShape(), {})],
  ['tensors[1]: expected an object, received null', () => load(tinyShape(), [entry, null])],
  [
    "tensors[0].dtype: expected 'F64' | 'F32' | 'BF16' | 'F16' | 'I32' | 'U8', received \"F8\"",
    () => load(tinyShape(), [{ ...entry, dtype: 'F8' }]),
  ],
  [
    'tensors[0].shape[1]: expected an integer from 0 to 9007199254740991, received -1',
    () => load(tinyShape(), [{ ...entry, shape: [1, -1] }]),
  ],
  [
    "dtype: expected 'f32' | 'bf16' | 'int8' | 'stored-f32' | 'stored-bf16', received \"int4\"",
    () => load(tinyShape(), [], 'int4'),
  ],
  [
    'device.threads: expected an integer from 0 to 1024, received 1e+21',
    () => load(tinyShape(), [], 'f32', { ...device, threads: 1e21 }),
  ],
])('%s', async (message, call) => {
  const error = await rejection(call());
  expect(error).toBeInstanceOf(MakeSomeNoiseError);
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', message });
});

test('a long string is not repeated in the message', async () => {
  const error = await rejection(generate({ topK: 'x'.repeat(1000) }));
  expect(error).toMatchObject({ message: expect.stringMatching(/received a string of 1000 bytes$/) });
});

test('an exception of a getter comes through', async () => {
  const mine = new Error('from the getter');
  const hostile = Object.defineProperty({ ...request() }, 'minP', {
    get: () => {
      throw mine;
    },
  });
  expect(await rejection(model.generate(hostile, ignore, ignore, never()))).toBe(mine);
});

test('a shape that makes no sense is refused before anything is allocated', async () => {
  const error = await rejection(load(tinyShape({ heads: 3 }), []));
  expect(error).toMatchObject({ code: 'ERR_MODEL_FORMAT', message: expect.stringContaining('heads') });
});

test('a device that cannot be had says why, without falling back', async () => {
  const cuda = { ...device, device: 'cuda' };
  const error = await rejection(native.createModel(tinyShape(), 1, 0.1, 'f32', cuda, never()));
  expect(error).toMatchObject({ code: 'ERR_DEVICE', message: expect.stringContaining('CUDA') });
});

test('a model cannot be constructed, nor its methods called on something else', () => {
  const NativeModelClass = model.constructor as new () => NativeModel;
  expect(() => new NativeModelClass()).toThrow('a NativeModel is made by loadModel or createModel');

  expect(() => model.tensorSpecs.call({} as never)).toThrow();
});

test('a weight table larger than the address space is ERR_OUT_OF_MEMORY', async () => {
  const huge = tinyShape({ vocabularySize: 1 << 30, hiddenSize: 1 << 20, headDim: 1 << 18, layers: 1 });
  const error = await rejection(native.createModel(huge, 1, 0.1, 'f32', device, never()));
  expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_(OUT_OF_MEMORY|MODEL_FORMAT)$/) });
});

test('devices lists what there is, and why something is not', () => {
  const [cpu, cuda] = native.devices();
  expect(cpu).toMatchObject({ kind: 'cpu', available: true });
  expect(cpu!.threads).toBeGreaterThan(0);
  expect(cuda).toMatchObject({ kind: 'cuda' });
  expect(cuda!.reason).not.toBe('');
});

test('draftPaths gives the named trees, and refuses other names and sizes', () => {
  const chain = native.draftPaths('chain', 0, 3, 1);
  expect([...chain.pathOffsets]).toEqual([0, 1, 3, 6]);
  expect([...chain.pathColumns]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(native.draftPaths('paper', 0, 5, 10).pathOffsets).toHaveLength(69);
  expect(native.draftPaths('nodes', 4, 5, 10).pathOffsets).toHaveLength(4);
  expect(() => native.draftPaths('star' as never, 0, 5, 10)).toThrow(
    "kind: expected 'paper' | 'nodes' | 'chain'",
  );
  expect(() => native.draftPaths('paper', 0, 33, 10)).toThrow(
    'depth: expected an integer from 0 to 32, received 33',
  );
});
