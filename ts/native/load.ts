/** Finds and loads the native file, once per JavaScript environment. */
import { join } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import type { NativeModule } from './contract';

// Two levels below the root, in dist/native/ of the package as in ts/native/ under jest.
const packageRoot = join(__dirname, '..', '..');

let loaded: NativeModule | undefined;

/**
 * The native module: a local build in build/Release, else the prebuilt file of this platform.
 *
 * @throws MakeSomeNoiseError ERR_UNSUPPORTED when there is none, or it does not load; says what to do.
 */
export function loadNative(): NativeModule {
  if (loaded !== undefined) return loaded;
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    loaded = (require('node-gyp-build') as (root: string) => NativeModule)(packageRoot);
  } catch (cause) {
    throw new MakeSomeNoiseError('ERR_UNSUPPORTED', missingNativeMessage(cause), { cause });
  }
  loaded.setErrorClass(MakeSomeNoiseError);
  return loaded;
}

function missingNativeMessage(cause: unknown): string {
  const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
  return (
    `makesomenoise has no native build that loads on ${process.platform}-${process.arch} with Node ` +
    `${process.version} (${reason}). It is compiled when the package is installed, which needs CMake 3.20 and a ` +
    'C++20 compiler (g++ 11, clang 14); if your package manager did not run the install script, allow it with ' +
    '"npm approve-scripts makesomenoise" and then run "npm rebuild makesomenoise"'
  );
}
