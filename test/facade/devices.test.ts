import { devices, MakeSomeNoiseError } from '../../ts';

test('the processor is there, with what it can do', () => {
  const cpu = devices().find((device) => device.kind === 'cpu')!;
  expect(cpu.available).toBe(true);
  expect(cpu.threads).toBeGreaterThan(0);
  expect(cpu.memoryBytes).toBeGreaterThan(2 ** 20);
  expect(['generic', 'avx2', 'avx512']).toContain(cpu.instructions);
});

test('a device that cannot be had says why', () => {
  for (const device of devices()) if (!device.available) expect(device.reason).not.toBe('');
});

test('errors have a code and a name of their own', () => {
  const error = new MakeSomeNoiseError('ERR_DATA', 'what, where, what to do', { cause: 1 });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: 'MakeSomeNoiseError', code: 'ERR_DATA', cause: 1 });
});
