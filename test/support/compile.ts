/** Shared libraries for tests, made of C++ source of the project. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './temporary-folder';

const root = join(__dirname, '..', '..');

/** Compiles a file into a new folder; returns the library's path. */
export function compileLibrary(source: string, name = 'library.so'): string {
  const file = join(temporaryFolder(), name);
  const flags = ['-std=c++20', '-O2', '-shared', '-fPIC', `-I${root}`, `-I${join(root, 'native')}`];
  execFileSync(process.env.CXX ?? 'g++', [...flags, source, '-o', file]);
  return file;
}

/** The same for source in a string. */
export function compileText(source: string): string {
  const file = join(temporaryFolder(), 'library.cc');
  writeFileSync(file, source);
  return compileLibrary(file);
}
