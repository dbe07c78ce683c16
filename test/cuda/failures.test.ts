/** What a user of CUDA sees when it cannot be had or fails: a typed error with the remedy, and a process that lives. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { askChild } from '../support/child';
import { compileText } from '../support/compile';
import { temporaryFile } from '../support/temporary-folder';
import type { Outcome } from './failing-child';

const shim = join(__dirname, '..', '..', 'build', 'Release', 'libmakesomenoise_cuda_shim.so');
const describeShim = existsSync(shim) ? describe : describe.skip;

/** A scenario of failing-child.ts. */
const failing = (scenario: string, variables: Record<string, string>, device = 'cuda') =>
  askChild<Outcome>(join(__dirname, 'failing-child.ts'), [scenario, device], variables);

const onShim = (variables: Record<string, string> = {}) => ({ MSN_CUDA_SHIM: '1', ...variables });
const failed = (code: string, message: RegExp) => ({
  code,
  message: expect.stringMatching(message) as string,
  again: code,
  cpuTokens: 8,
  allFree: true,
});

describe('without a module that fits', () => {
  test('a module that is not there', async () => {
    const outcome = await failing('load', { MSN_CUDA_MODULE: '/nowhere/module.so' });
    expect(outcome).toMatchObject(
      failed('ERR_DEVICE', /no CUDA module \(\/nowhere\/module\.so.*npm rebuild/),
    );
    expect(outcome.devices[1]).toMatchObject({ kind: 'cuda', available: false });
    expect(outcome.devices[1]!.reason).toContain('/nowhere/module.so');
  });

  test('a file that is no module', async () => {
    const file = temporaryFile('module.so', 'not a shared library');
    const outcome = await failing('load', { MSN_CUDA_MODULE: file });
    expect(outcome).toMatchObject(failed('ERR_DEVICE', /module\.so cannot be used \(.*\); reinstall/));
  });

  test('a library that is no module', async () => {
    const outcome = await failing('load', { MSN_CUDA_MODULE: compileText('int unrelated() { return 0; }') });
    expect(outcome).toMatchObject(failed('ERR_DEVICE', /has no function msn_cuda_module/));
  });

  test('a module of another version', async () => {
    const file = compileText(
      '#include "kernels/module.h"\n' +
        'extern "C" __attribute__((visibility("default"))) const msn::kernels::Module* msn_cuda_module() {\n' +
        '  static msn::kernels::Module module = {};\n' +
        '  module.version = msn::kernels::kModuleVersion + 1;\n' +
        '  return &module;\n' +
        '}\n',
    );
    const outcome = await failing('load', { MSN_CUDA_MODULE: file });
    expect(outcome).toMatchObject(
      failed('ERR_DEVICE', /its version is \d+, this addon needs \d+\); reinstall/),
    );
  });
});

describeShim('without a device that fits (on the shim)', () => {
  test('no driver', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_DRIVER: '0' }));
    expect(outcome).toMatchObject(
      failed('ERR_DEVICE', /no NVIDIA driver was found; install driver \d+ or newer/),
    );
  });

  test('an old driver', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_DRIVER: '12040' }));
    expect(outcome).toMatchObject(
      failed(
        'ERR_DEVICE',
        /too old: it supports CUDA 12\.4, this build needs 13\.0; install driver 580 or newer/,
      ),
    );
  });

  test('no device', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_DEVICES: '0' }));
    expect(outcome).toMatchObject(failed('ERR_DEVICE', /no CUDA device; check nvidia-smi/));
  });

  test('a device that is too old', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_COMPUTE_CAPABILITY: '75' }));
    expect(outcome).toMatchObject(failed('ERR_DEVICE', /compute capability 7\.5, at least 8\.0 is needed/));
    expect(outcome.devices[1]).toMatchObject({ kind: 'cuda:0', available: false });
  });

  test('a device that is another process’s alone', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_BUSY_DEVICES: '1' }));
    expect(outcome).toMatchObject(
      failed('ERR_DEVICE', /cuda:0 does not answer: .*cudaErrorDevicesUnavailable.*; device 'cpu' computes/),
    );
    expect(outcome.devices[1]).toMatchObject({ kind: 'cuda:0', available: false });
    expect(outcome.devices[1]!.reason).toMatch(/^cuda:0 does not answer/);
  });

  test('the first device is another process’s alone, the second is free', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_DEVICES: '2', MSN_SHIM_BUSY_DEVICES: '1' }));
    expect(outcome.message).toBe('');
    expect(outcome.devices.map(({ kind, available }) => [kind, available])).toEqual([
      ['cpu', true],
      ['cuda:0', false],
      ['cuda:1', true],
    ]);
  });

  test('a number that no device has', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_DEVICES: '2' }), 'cuda:7');
    expect(outcome).toMatchObject(
      failed(
        'ERR_DEVICE',
        /there is no cuda:7: this process sees cuda:0 \(.+\), cuda:1 \(.+CUDA_VISIBLE_DEVICES/,
      ),
    );
    expect(outcome.devices.map(({ kind }) => kind)).toEqual(['cpu', 'cuda:0', 'cuda:1']);
  });
});

describeShim('out of device memory (on the shim)', () => {
  const remedy =
    /cannot allocate .+ (GB|MB|bytes) of device memory: .+ of .+ are free on the device\. Free some/;

  test('when a model is loaded', async () => {
    const outcome = await failing('load', onShim({ MSN_SHIM_MEMORY_BYTES: '100000' }));
    expect(outcome).toMatchObject(failed('ERR_OUT_OF_MEMORY', remedy));
  });

  test.each([
    ['cache is full', /./],
    ['memory is full when training begins', /state of a training/],
    ['memory is full in a step', /activations/],
  ])('%s', async (scenario, what) => {
    const outcome = await failing(scenario, onShim());
    expect(outcome).toMatchObject(failed('ERR_OUT_OF_MEMORY', remedy));
    expect(outcome.message).toMatch(what);
  });

  test('what another model keeps for its next text is given up first', async () => {
    const outcome = await failing('memory is full of what another model keeps', onShim());
    expect(outcome).toMatchObject({ message: '', cpuTokens: 8, allFree: true });
  });
});

describeShim('a kernel that fails (on the shim)', () => {
  // The number of the launch, counted from the start of the process.
  test.each([
    ['generate', '3'],
    ['generate', '150'],
    ['train', '2'],
    ['train', '60'],
  ])('%s, launch %s: the device is lost, the process is not', async (scenario, launch) => {
    const outcome = await failing(scenario, onShim({ MSN_SHIM_FAIL_LAUNCH: launch }));
    expect(outcome).toMatchObject(
      failed(
        'ERR_DEVICE',
        /cuda:0 is lost to this process: a kernel failed \(cudaErrorIllegalAddress.*new process/,
      ),
    );
    expect(outcome.devices[1]).toMatchObject({ kind: 'cuda:0', available: false });
    expect(outcome.devices[1]!.reason).toMatch(/is lost to this process/);
  });
});
