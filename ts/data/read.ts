/** Rows of a data file (.jsonl, .ndjson, .json, .parquet), one after another, each with the place it came from. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { MakeSomeNoiseError } from '../errors';
import { describeValue } from '../validate';
import { jsonArrayElements } from './read-json-array';
import { jsonLines } from './read-json-lines';
import { parquetRows } from './read-parquet';

/** One row as it stands in the file. */
export interface SourceRow {
  /** Where it stands, for messages: `train.jsonl:17` (line) or `train.parquet, row 17`, both counted from 1. */
  place: string;
  columns: Record<string, unknown>;
}

/** ERR_DATA with the place in front. */
export function dataError(place: string, message: string, cause?: unknown): MakeSomeNoiseError {
  return new MakeSomeNoiseError(
    'ERR_DATA',
    `${place}: ${message}`,
    cause === undefined ? undefined : { cause },
  );
}

/**
 * Streams the rows of one file. A byte order mark, CRLF line ends and empty lines are accepted.
 * @throws MakeSomeNoiseError ERR_DATA naming the file and, where there is one, the line or row: the file cannot be
 * read, has another extension, is not valid JSON or Parquet, or holds something that is not an object.
 */
export async function* readRows(file: string): AsyncGenerator<SourceRow> {
  await checkReadable(file);
  switch (extname(file).toLowerCase()) {
    case '.jsonl':
    case '.ndjson':
      yield* parsedRows(jsonLines(textChunks(file)), file);
      return;
    case '.json':
      yield* parsedRows(jsonArrayElements(textChunks(file), file), file);
      return;
    case '.parquet':
      yield* parquetRows(file);
      return;
    default:
      throw dataError(file, 'expected a .jsonl, .ndjson, .json (a list of objects) or .parquet file');
  }
}

/** A piece of a text file that should be one JSON value, and the line it begins in, counted from 1. */
export interface JsonPiece {
  text: string;
  line: number;
}

async function* parsedRows(pieces: AsyncIterable<JsonPiece>, file: string): AsyncGenerator<SourceRow> {
  for await (const { text, line } of pieces) {
    const place = `${file}:${line}`;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw dataError(place, `not valid JSON: ${(cause as Error).message}`, cause);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw dataError(place, `expected an object, received ${describeValue(value)}`);
    }
    yield { place, columns: value as Record<string, unknown> };
  }
}

async function checkReadable(file: string): Promise<void> {
  try {
    if ((await stat(file)).isDirectory()) throw new Error('it is a folder; name the files in it');
  } catch (cause) {
    throw dataError(file, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** The file as UTF-8 text without the byte order mark; invalid UTF-8 is an error, not U+FFFD in the training data. */
async function* textChunks(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  try {
    for await (const bytes of createReadStream(file, { highWaterMark: 1 << 18 })) {
      const text = decoder.decode(bytes as Buffer, { stream: true });
      yield text;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
    }
    yield decoder.decode();
  } catch (cause) {
    if (cause instanceof MakeSomeNoiseError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') {
      throw dataError(file, `not valid UTF-8 behind line ${lines}`, cause);
    }
    throw dataError(file, `cannot be read: ${(cause as Error).message}`, cause);
  }
}
