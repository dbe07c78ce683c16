/** cuBLASLt: where it is looked for, and what it is asked to multiply; with doubles of the library and of a GPU. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { askChild } from '../support/child';
import { compileLibrary } from '../support/compile';
import { temporaryFile, temporaryFolder } from '../support/temporary-folder';
import type { Computed, Found } from './library-child';

const shim = join(__dirname, '..', '..', 'build', 'Release', 'libmakesomenoise_cuda_shim.so');
const testOnShim = existsSync(shim) ? test : test.skip;
const child = join(__dirname, 'library-child.ts');

let double: string;
let gpu: string;
beforeAll(() => {
  double = compileLibrary(join(__dirname, 'cublaslt_double.cc'));
  gpu = compileLibrary(join(__dirname, 'fake_module.cc'));
});

const find = (variables: Record<string, string> = {}) =>
  askChild<Found>(child, ['find'], { MSN_CUDA_MODULE: gpu, HOME: '/nowhere', ...variables });
const found = (version: string, path: string) => `cuBLASLt ${version} (${path})`;

/** Puts the double into a folder under the name of a version; returns its path. */
function install(folder: string, major: number): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `libcublasLt.so.${major}`);
  copyFileSync(double, file);
  return file;
}

describe('the search', () => {
  test('what MSN_CUBLASLT names: a file, a folder, nothing', async () => {
    expect((await find({ MSN_CUBLASLT: double })).cuda.library).toBe(found('13.0.2', double));
    const file = install(temporaryFolder(), 12);
    expect(
      (await find({ MSN_CUBLASLT: dirname(file), MSN_CUBLASLT_DOUBLE_VERSION: '120103' })).cuda.library,
    ).toBe(found('12.1.3', file));
    expect((await find({ MSN_CUBLASLT: 'off' })).cuda.library).toMatch(/^no cuBLASLt: switched off/);
  });

  test('what MSN_CUBLASLT names and cannot be used is told, and nothing else is taken', async () => {
    const variables = { LD_LIBRARY_PATH: dirname(install(temporaryFolder(), 13)) };
    for (const [named, why] of [
      ['/nowhere/lib.so', /names \/nowhere\/lib\.so, but .*cannot open/],
      [temporaryFolder(), /but no libcublasLt\.so\.13 was found/],
      [gpu, /lacks functions of cuBLASLt/],
      [temporaryFile('text.so', 'text'), /invalid ELF header|file too short/],
    ] as const)
      expect((await find({ ...variables, MSN_CUBLASLT: named })).cuda.library).toMatch(why);
  });

  test('beside the module first, then the path of the loader, then CUDA_HOME, conda, pip', async () => {
    const folder = temporaryFolder();
    const module = join(folder, 'module.so');
    copyFileSync(gpu, module);
    const pip = join(temporaryFolder(), 'lib', 'python3.11', 'site-packages', 'nvidia', 'cu13', 'lib');
    const variables: Record<string, string> = { MSN_CUDA_MODULE: module };

    variables.VIRTUAL_ENV = join(pip, '..', '..', '..', '..', '..', '..');
    const ofPip = install(pip, 13);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', ofPip));

    variables.CONDA_PREFIX = temporaryFolder();
    const ofConda = install(join(variables.CONDA_PREFIX, 'lib'), 12);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', ofConda));

    variables.CUDA_HOME = temporaryFolder();
    const ofToolkit = install(join(variables.CUDA_HOME, 'lib64'), 13);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', ofToolkit));

    variables.LD_LIBRARY_PATH = temporaryFolder();
    install(variables.LD_LIBRARY_PATH, 12);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', 'libcublasLt.so.12'));

    const beside = install(folder, 12);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', beside));
    const newer = install(folder, 13);
    expect((await find(variables)).cuda.library).toBe(found('13.0.2', newer));
    // A library that is newer than the driver would load and then fail.
    expect((await find({ ...variables, FAKE_CUDA_DRIVER: '12080' })).cuda.library).toBe(
      found('13.0.2', beside),
    );
  });
});

describe("device 'auto'", () => {
  test('takes a GPU where there is one, in bf16, and says why and with what', async () => {
    const { auto, dtype, cuda } = await find({ MSN_CUBLASLT: double });
    expect(auto).toMatchObject({
      kind: 'cuda:0',
      name: 'Fake GPU',
      computeCapability: '9.0',
      shim: false,
      library: found('13.0.2', double),
      threads: 2,
    });
    expect(auto.reason).toBe(
      'The CUDA engine on cuda:0 (Fake GPU), because there is a driver and a supported device.',
    );
    expect(dtype).toBe('bf16');
    expect(cuda).toMatchObject({
      reason: '',
      shim: false,
      architectures: '90a',
      runtime: '12.8',
      driver: '13.0',
    });
  });

  test.each([
    ['11080', '11.8'],
    ['12020', '12.2'], // of the same major version, but it cannot record a step
  ])('takes the CPU where the driver is too old (%s), and says why', async (driver, version) => {
    const { auto, dtype } = await find({ FAKE_CUDA_DRIVER: driver });
    expect(auto.kind).toBe('cpu');
    expect(auto.reason).toContain(
      `because the NVIDIA driver is too old: it supports CUDA ${version}, this build needs 12.3; install driver 545`,
    );
    expect(dtype).toBe('f32');
  });

  test('takes the CPU where the module has no kernels for the GPU, and says so', async () => {
    const { auto } = await find({ FAKE_CUDA_CODE: '0' });
    expect(auto.kind).toBe('cpu');
    expect(auto.reason).toMatch(
      /cuda:0 \(Fake GPU\) has compute capability 9\.0, and this build has kernels for 90a alone; build it here with/,
    );
  });

  test('a GPU without the memory is an error, not a silent move to the CPU', async () => {
    await expect(find({ FAKE_CUDA_MEMORY: '1000' })).rejects.toThrow(
      /ERR_OUT_OF_MEMORY[^]*device 'auto' chose it and takes no other in its place|device 'auto' chose it/,
    );
  });

  testOnShim('takes the CPU where CUDA is the host shim', async () => {
    const { auto } = await find({ MSN_CUDA_MODULE: '', MSN_CUDA_SHIM: '1' });
    expect(auto).toMatchObject({
      kind: 'cpu',
      reason: 'The CPU engine, because the CUDA module is the host shim, which is for tests.',
    });
  });
});

testOnShim('multiplies the long prefill and the training, and no step of decoding', async () => {
  const log = temporaryFile('products.log', '');
  const onShim = { MSN_CUDA_SHIM: '1' };
  const [alone, helped] = await Promise.all([
    askChild<Computed>(child, ['compute'], { ...onShim, MSN_CUBLASLT: 'off' }),
    askChild<Computed>(child, ['compute'], { ...onShim, MSN_CUBLASLT: double, MSN_CUBLASLT_DOUBLE_LOG: log }),
  ]);
  expect(helped.tokens).toEqual(alone.tokens);
  for (const [index, loss] of helped.losses.entries()) expect(loss).toBeCloseTo(alone.losses[index]!, 2);

  // Column-major: outputs, rows, inputs; the weight, then the rows.
  const products = readFileSync(log, 'utf8').trim().split('\n');
  expect(products).toContain('512 300 128 tn bf16 beta 0'); // gate and up of the prefill
  expect(products).toContain('512 301 128 tn f32 beta 0'); // logits of the training
  expect(products).toContain('128 301 512 nn bf16 beta 0'); // gradient of the rows
  expect(products).toContain('128 512 301 nt f32 beta 1'); // gradient of a weight
  expect(products.filter((product) => Number(product.split(' ')[1]) < 128)).toEqual([]);
});
