import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { jsonArrayElements } from '../../ts/data/read-json-array';
import { jsonLines } from '../../ts/data/read-json-lines';
import { readRows, type JsonPiece, type SourceRow } from '../../ts/data/read';
import { temporaryFile, temporaryFolder } from '../support/temporary-folder';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

const rowsOf = (name: string, content: string | Uint8Array): Promise<SourceRow[]> =>
  all(readRows(temporaryFile(name, content)));

async function failure(name: string, content: string | Uint8Array): Promise<string> {
  const file = temporaryFile(name, content);
  const error = await all(readRows(file)).then(
    () => undefined,
    (caught: { code: string; message: string }) => caught,
  );
  expect(error).toMatchObject({ name: 'MakeSomeNoiseError', code: 'ERR_DATA' });
  return error!.message.replace(file, name);
}

describe('.jsonl', () => {
  test('accepts a byte order mark, CRLF, empty lines and a last line without an end', async () => {
    const rows = await rowsOf('rows.jsonl', '\uFEFF{"a":1}\r\n\r\n  \n{"a":2}\n{"a":"\u00fc"}');
    expect(rows.map(({ columns }) => columns)).toEqual([{ a: 1 }, { a: 2 }, { a: 'ü' }]);
    expect(rows.map(({ place }) => place.split(':').at(-1))).toEqual(['1', '4', '5']);
  });

  test('names the line that is not JSON', async () => {
    expect(await failure('rows.jsonl', '{"a":1}\n{"a":\n')).toMatch(/^rows\.jsonl:2: not valid JSON: /);
  });

  test('names the line that is no object', async () => {
    expect(await failure('rows.jsonl', '{"a":1}\n\n[1]\n')).toBe(
      'rows.jsonl:3: expected an object, received an array of 1',
    );
    expect(await failure('rows.jsonl', 'null')).toBe('rows.jsonl:1: expected an object, received null');
  });

  test('refuses bytes that are not UTF-8', async () => {
    expect(await failure('rows.jsonl', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toMatch(
      /^rows\.jsonl: not valid UTF-8/,
    );
    expect(await failure('rows.jsonl', Buffer.from([0x7b, 0x22, 0xc3]))).toMatch(
      /^rows\.jsonl: not valid UTF-8/,
    );
  });

  test('cuts lines wherever the chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 7 }), async (texts, size) => {
        const lines = texts.map((text) => JSON.stringify({ text }));
        const pieces = await all(jsonLines(chunked(lines.join('\n'), size)));
        expect(pieces).toEqual(lines.map((text, index) => ({ text, line: index + 1 })));
      }),
    );
  });
});

describe('.json', () => {
  const scan = (text: string, size: number): Promise<JsonPiece[]> =>
    all(jsonArrayElements(chunked(text, size), 'f.json'));

  test('gives the elements of any list, wherever the chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(undefined, 2),
        async (values, size, indent) => {
          const pieces = await scan(JSON.stringify(values, null, indent), size);
          expect(pieces.map(({ text }) => JSON.parse(text) as unknown)).toEqual(
            JSON.parse(JSON.stringify(values)),
          );
        },
      ),
    );
  });

  test('knows the line of each element', async () => {
    const rows = await rowsOf('rows.json', '\uFEFF\n[\n {"a": [1,\n 2]},\r\n\n {"a": "]\\"}"}, {}\n]\n');
    expect(rows.map(({ place }) => place.split(':').at(-1))).toEqual(['3', '6', '6']);
    expect(rows.map(({ columns }) => columns)).toEqual([{ a: [1, 2] }, { a: ']"}' }, {}]);
  });

  test.each([
    ['', 'rows.json:1: expected a JSON list of objects, the file is empty'],
    ['[]x', 'rows.json:1: expected nothing behind the JSON list, received "x"'],
    [
      '{"a":1}\n{"a":2}',
      'rows.json:1: expected a JSON list of objects; name the file .jsonl when it holds one object a line',
    ],
    ['[{"a":1},\n{"a":2}', 'rows.json:2: the JSON list is not closed; is the file cut off?'],
    ['[{"a":1},\n]', 'rows.json:2: not valid JSON: an element is missing in the list'],
    ['[\n,{}]', 'rows.json:2: not valid JSON: an element is missing in the list'],
    ['[{},\n3]', 'rows.json:2: expected an object, received 3'],
  ])('says what is wrong with %j', async (content, message) => {
    expect(await failure('rows.json', content)).toBe(message);
  });

  test('names the line of a broken element', async () => {
    expect(await failure('rows.json', '[{"a":1},\n{"a" 1}]')).toMatch(/^rows\.json:2: not valid JSON: /);
    expect(await failure('rows.json', '[}]')).toMatch(/^rows\.json:1: not valid JSON: /);
  });
});

describe('.parquet', () => {
  const fixture = (name: string): string => join(__dirname, 'fixtures', name);

  test('reads nested rows over row groups', async () => {
    const rows = await all(readRows(fixture('messages.parquet')));
    expect(rows).toHaveLength(5);
    expect(rows[4]!.place).toBe(`${fixture('messages.parquet')}, row 5`);
    expect(rows[4]!.columns.messages).toEqual([
      { role: 'user', content: 'What is 4 plus 1?' },
      { role: 'assistant', content: 'It is 5, as ü.' },
    ]);
  });

  test('reads gzip', async () => {
    const rows = await all(readRows(fixture('tokens-gzip.parquet')));
    expect(rows.map(({ columns }) => columns.input_ids)).toEqual([
      [1n, 2n, 3n],
      [4n, 5n, 6n, 7n],
    ]);
  });

  test('reads outside of jest too, where hyparquet is an ECMAScript module', () => {
    const root = join(__dirname, '..', '..');
    const script = `require('./ts/data/read.ts').readRows(${JSON.stringify(fixture('messages.parquet'))}).next()
      .then(({ value }) => console.log(value.columns.messages[0].content))`;
    const hook = join(root, 'test', 'support', 'typescript.cjs');
    expect(execFileSync(process.execPath, ['-r', hook, '-e', script], { cwd: root, encoding: 'utf8' })).toBe(
      'What is 0 plus 1?\n',
    );
  });

  test('says that a file is no Parquet file', async () => {
    expect(await failure('rows.parquet', 'not parquet at all')).toMatch(
      /^rows\.parquet: cannot be read as Parquet: /,
    );
    expect(await failure('rows.parquet', '')).toMatch(/^rows\.parquet: cannot be read as Parquet: /);
  });
});

test('refuses other files, folders and what is not there', async () => {
  expect(await failure('rows.csv', 'a,b')).toBe(
    'rows.csv: expected a .jsonl, .ndjson, .json (a list of objects) or .parquet file',
  );
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'x.jsonl'), '');
  await expect(all(readRows(folder))).rejects.toThrow('it is a folder; name the files in it');
  await expect(all(readRows(join(folder, 'missing.jsonl')))).rejects.toThrow(
    /missing\.jsonl: cannot be read: ENOENT/,
  );
});

async function* chunked(text: string, size: number): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.slice(at, at + size));
}
