/** Rows of a Parquet file, one row group at a time. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import { dataError, type SourceRow } from './read';

type Decompress = (bytes: Uint8Array) => Uint8Array;

/** Codecs beside hyparquet's own SNAPPY. Node has ZSTD since 22.15. */
function compressors(): Record<string, Decompress> {
  const zstd = (zlib as { zstdDecompressSync?: Decompress }).zstdDecompressSync;
  return { GZIP: gunzipSync, BROTLI: brotliDecompressSync, ...(zstd && { ZSTD: zstd }) };
}

export async function* parquetRows(file: string): AsyncGenerator<SourceRow> {
  // hyparquet is an ECMAScript module; `require` of one needs Node 22.
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import('hyparquet');
  const read = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw dataError(file, `cannot be read as Parquet: ${(cause as Error).message}`, cause);
    }
  };
  const source = await read(() => asyncBufferFromFile(file));
  const metadata = await read(() => parquetMetadataAsync(source));
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await read(() =>
      parquetReadObjects({ file: source, metadata, rowStart, rowEnd, compressors: compressors() }),
    );
    for (const columns of rows) yield { place: `${file}, row ${++rowStart}`, columns };
  }
}
