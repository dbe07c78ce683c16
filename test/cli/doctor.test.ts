import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { environment } from '../support/child';
import { compileLibrary } from '../support/compile';
import { runCli } from './run-cli';

const root = join(__dirname, '..', '..');
const shim = join(root, 'build', 'Release', 'libmakesomenoise_cuda_shim.so');
const testOnShim = existsSync(shim) ? test : test.skip;

/** What `msn doctor` prints in an environment whose MSN_* variables are exactly these. */
async function doctor(variables: Record<string, string>, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(['doctor', ...flags], '', environment(variables));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('no module: which file is missing and how to get it', async () => {
  const variables = { MSN_CUDA_MODULE: '/nowhere/module.so' };
  const text = await doctor(variables);
  expect(text).toMatch(
    /^ {2}module +none: this build has no CUDA module \(\/nowhere\/module\.so does not exist\)/m,
  );
  expect(text).toMatch(/^ {2}cpu +.+ threads, /m);
  expect(text).toMatch(/^ {2}cuda +not available: this build has no CUDA module/m);
  expect(text).toMatch(/^all is well$/m);
  const { cuda, devices } = JSON.parse(await doctor(variables, '--json')) as {
    cuda: Record<string, unknown>;
    devices: Array<Record<string, unknown>>;
  };
  expect(cuda).toMatchObject({ module: '/nowhere/module.so', architectures: '', driver: '', library: '' });
  expect(devices).toMatchObject([
    { kind: 'cpu', available: true },
    { kind: 'cuda', available: false },
  ]);
});

describe('a module on a machine with a GPU (a double)', () => {
  let module: string;
  beforeAll(() => (module = compileLibrary(join(root, 'test', 'cuda', 'fake_module.cc'))));

  test('module, driver, device, memory and library', async () => {
    const text = await doctor({ MSN_CUDA_MODULE: module, MSN_CUBLASLT: 'off' });
    expect(text).toContain(`${module}, version `);
    expect(text).toMatch(/CUDA 12\.8, machine code for 90a$/m);
    expect(text).toMatch(/^ {2}driver +CUDA 13\.0$/m);
    expect(text).toMatch(/^ {2}large products +no cuBLASLt: switched off by MSN_CUBLASLT$/m);
    expect(text).toMatch(/^ {2}cuda:0 +Fake GPU, compute capability 9\.0, 1\.0 GB, 1\.0 GB free$/m);
  });

  test('no driver', async () => {
    const text = await doctor({ MSN_CUDA_MODULE: module, FAKE_CUDA_DRIVER: '0' });
    expect(text).toMatch(/^ {2}driver +none: no NVIDIA driver was found; install driver 545 or newer/m);
    expect(text).not.toContain('large products');
  });
});

testOnShim('the host shim is called by its name', async () => {
  const text = await doctor({ MSN_CUDA_SHIM: '1' });
  expect(text).toMatch(/^ {2}module +.+shim\.so, version \d+, CUDA 13\.0, the host shim, for tests$/m);
  const { cuda, devices } = JSON.parse(await doctor({ MSN_CUDA_SHIM: '1' }, '--json')) as {
    cuda: Record<string, unknown>;
    devices: Array<Record<string, unknown>>;
  };
  expect(cuda).toMatchObject({ module: shim, shim: true, reason: '' });
  expect(devices[1]).toMatchObject({ kind: 'cuda:0', available: true, shim: true });
});
