/** The tests' addon: operations and runtime parts on typed arrays. MSN_TESTING_ADDON names another build of it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export type TypedArray = Float64Array | Float32Array | Int32Array | Uint16Array | Uint8Array;
export interface TestTensor {
  data: TypedArray;
  shape: number[];
}
export type TestFunction = (args: Record<string, unknown>) => unknown;

/** The shared folder beside the checkout: reference numbers, models, data. */
export const sharedFolder = join(__dirname, '..', '..', '..', 'shared');
export const hasShared = existsSync(join(sharedFolder, 'reference'));
/** `describe` where ../shared exists, a visible skip elsewhere. */
export const describeShared = hasShared ? describe : describe.skip;

export function loadTesting(): Record<string, TestFunction> {
  const file =
    process.env.MSN_TESTING_ADDON ??
    join(__dirname, '..', '..', 'build', 'testing', 'makesomenoise_testing.node');
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return require(file) as Record<string, TestFunction>;
}

export const f32 = (values: ArrayLike<number>, ...shape: number[]): TestTensor => ({
  data: Float32Array.from(values),
  shape: shape.length > 0 ? shape : [values.length],
});
export const i32 = (values: ArrayLike<number>, ...shape: number[]): TestTensor => ({
  data: Int32Array.from(values),
  shape: shape.length > 0 ? shape : [values.length],
});

/** The instruction sets this machine can run, plain C++ first. */
export function instructionSets(): string[] {
  return loadTesting().instructionSets!({}) as string[];
}
