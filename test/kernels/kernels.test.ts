/** Runs the kernels' C++ tests on the shim: every kernel against the CPU engine's operation of the same name. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const program =
  process.env.MSN_KERNEL_TESTS ?? join(__dirname, '..', '..', 'build', 'kernels', 'kernel_tests');

if (existsSync(program)) {
  const names = execFileSync(program, ['--list'], { encoding: 'utf8' }).trim().split('\n');

  test.each(names)('%s', (name) => {
    const { status, stdout, stderr } = spawnSync(program, ['--schedules', name], { encoding: 'utf8' });
    expect({ status, failed: /FAILED.*/g.exec(stdout) ?? [], stderr }).toEqual({
      status: 0,
      failed: [],
      stderr: '',
    });
    expect(stdout).toMatch(/^4 passed, 0 failed$/m);
  });
} else {
  test.todo('build/kernels/kernel_tests is missing; npm run build:shim makes it');
}

test('no kernel tells the compiler that what it reads is constant (ptx.h, wait_for_inputs)', () => {
  const folder = join(__dirname, '..', '..', 'kernels');
  const promising = readdirSync(folder)
    .filter((name) => /\.(cu|h)$/.test(name))
    .filter((name) =>
      /__restrict__|__ldg\(/.test(readFileSync(join(folder, name), 'utf8').replaceAll(/\/\/.*/g, '')),
    );
  expect(promising).toEqual([]);
});
