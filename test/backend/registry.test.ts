import { instructionSets, loadTesting } from '../support/testing';

const { makeBackend, allocateZeroed } = loadTesting();

const codeOf = (body: () => unknown): unknown => {
  try {
    body();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe('the device registry', () => {
  test('takes the CPU for auto and says why', () => {
    const made = makeBackend!({}) as Record<string, unknown>;
    expect(made).toMatchObject({ kind: 'cpu', instructions: instructionSets().at(-1) });
    expect(made.reason).toMatch(/CPU/);
    expect(made.name).not.toBe('');
    expect(made.threads).toBeGreaterThanOrEqual(1);
    expect(made.memoryBytes).toBeGreaterThan(2 ** 20);
  });

  test('takes the threads and the instruction set that are asked for', () => {
    for (const instructions of instructionSets())
      expect(makeBackend!({ device: 'cpu', threads: 3, instructions })).toMatchObject({
        threads: 3,
        instructions,
      });
  });

  test('never falls back from cuda', () => {
    for (const device of ['cuda', 'cuda:1'])
      expect(codeOf(() => makeBackend!({ device }))).toBe('ERR_DEVICE');
  });

  test('refuses names and counts that it does not know', () => {
    expect(codeOf(() => makeBackend!({ device: 'tpu' }))).toBe('ERR_INVALID_ARGUMENT');
    expect(codeOf(() => makeBackend!({ instructions: 'mmx' }))).toBe('ERR_INVALID_ARGUMENT');
    expect(codeOf(() => makeBackend!({ threads: -1 }))).toBe('ERR_INVALID_ARGUMENT');
    expect(codeOf(() => makeBackend!({ threads: 100_000 }))).toBe('ERR_INVALID_ARGUMENT');
  });

  test('hands out zeroed, aligned memory of every size and says when there is none', () => {
    for (const bytes of [0, 1, 4096, 2 ** 21 - 1, 2 ** 21, 5_000_001])
      expect(allocateZeroed!({ bytes })).toBe(true);
    expect(codeOf(() => allocateZeroed!({ bytes: 2 ** 50 }))).toBe('ERR_OUT_OF_MEMORY');
  });
});
