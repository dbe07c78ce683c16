import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJobFile } from '../../ts/cli/job-file';
import { temporaryFolder } from '../support/temporary-folder';

const folder = temporaryFolder();
const known = ['model', 'data', 'batchSize', 'format', 'noise', 'noise.length', 'noise.kind'];

function read(text: string): ReturnType<typeof readJobFile> {
  const file = join(folder, 'job.yaml');
  writeFileSync(file, text);
  return readJobFile(file, known);
}

test('options and the lines they stand in', () => {
  const job = read(
    'model: m\n# a remark\nbatchSize: 8\nnoise:\n  length: 5\nformat: { prompt: q, completion: a }\n',
  );
  expect(job.options).toEqual({
    model: 'm',
    batchSize: 8,
    noise: { length: 5 },
    format: { prompt: 'q', completion: 'a' },
  });
  expect(job.placeOf('batchSize')).toMatch(/job\.yaml:3$/);
  expect(job.placeOf('noise.length')).toMatch(/job\.yaml:5$/);
  expect(job.placeOf('data')).toBeUndefined();
});

test.each([
  ['model: m\nbatchsize: 8\n', /job\.yaml:2: unknown option "batchsize" \(did you mean "batchSize"\?\)/],
  [
    'noise:\n  kind: ahead\n  lenght: 5\n',
    /job\.yaml:3: unknown option "noise\.lenght" \(did you mean "noise\.length"\?\)/,
  ],
  ['model: [1, 2\nbatchSize: 8\n', /job\.yaml:\d+: not valid YAML/],
  ['model: a\nmodel: b\n', /job\.yaml:2: not valid YAML: Map keys must be unique/],
  ['- model\n', /job\.yaml: expected a map of option names/],
  ['', /job\.yaml: expected a map of option names/],
])('%j is refused', (text, message) => {
  expect(() => read(text)).toThrow(message);
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }) as Error);
});

test('a file that is not there', () => {
  expect(() => readJobFile('/no/such/job.yaml', known)).toThrow(/^\/no\/such\/job\.yaml: cannot be read/);
});
