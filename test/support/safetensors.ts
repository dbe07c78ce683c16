/** A small reader of well-formed safetensors files, for reference numbers and model folders. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeTensorEntry, SafetensorsDtype } from '../../ts/native/contract';

interface HeaderEntry {
  dtype: SafetensorsDtype;
  shape: number[];
  data_offsets: [number, number];
}

export class Safetensors {
  /** Where each tensor lies in the file, as the native side wants to know it. */
  readonly entries: NativeTensorEntry[];
  private readonly bytes: Buffer;

  constructor(file: string) {
    this.bytes = readFileSync(file);
    const headerLength = Number(this.bytes.readBigUInt64LE(0));
    const begin = 8 + headerLength;
    const header = JSON.parse(this.bytes.toString('utf8', 8, begin)) as Record<string, HeaderEntry>;
    this.entries = Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [first, last],
          },
        ]) => ({
          ...{ name, dtype, shape, file },
          begin: begin + first,
          end: begin + last,
        }),
      );
  }

  entry(name: string): NativeTensorEntry {
    const found = this.entries.find((entry) => entry.name === name);
    if (found === undefined) throw new Error(`no tensor ${name}`);
    return found;
  }

  /** The values of a tensor of F64, F32 or I32. */
  values(name: string): Float64Array | Float32Array | Int32Array {
    const { dtype, begin, end } = this.entry(name);
    const copy = new Uint8Array(this.bytes.subarray(begin, end)).buffer;
    if (dtype === 'F64') return new Float64Array(copy);
    if (dtype === 'F32') return new Float32Array(copy);
    if (dtype === 'I32') return new Int32Array(copy);
    throw new Error(`${name} is ${dtype}`);
  }
}

/** The tensor table of a model folder, of one file or of several shards. */
export function tensorTable(folder: string): NativeTensorEntry[] {
  let files = ['model.safetensors'];
  try {
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8')) as {
      weight_map: Record<string, string>;
    };
    files = [...new Set(Object.values(index.weight_map))];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return files.flatMap((file) => new Safetensors(join(folder, file)).entries);
}
