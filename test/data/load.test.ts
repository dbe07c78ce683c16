import { describeSkips, loadDataset, responseLengths, type LoadOptions } from '../../ts/data/load';
import { temporaryFile } from '../support/temporary-folder';
import { CHAT_VOCABULARY, chatTokenizer } from './support';

const options: LoadOptions = {
  format: 'auto',
  tokenizer: chatTokenizer(null),
  vocabularySize: CHAT_VOCABULARY,
  sequenceLength: 12,
  overlong: 'skip',
};

const jsonl = (...rows: object[]): string =>
  temporaryFile('rows.jsonl', rows.map((row) => JSON.stringify(row) + '\n').join(''));

const pair = (prompt: string, completion: string) => ({ prompt, completion });

test('tokenises all rows of all files in order, more than one round of them', async () => {
  const rows = Array.from({ length: 150 }, (_, index) => pair('q', `a${index}`));
  const files = [jsonl(...rows.slice(0, 100)), jsonl(...rows.slice(100))];
  const { dataset, report } = await loadDataset(files, options);
  expect(report).toMatchObject({ files, rowsRead: 150, rowsUsed: 150, tokens: dataset.tokenCount });
  expect(dataset.rows).toBe(150);
  const id = (character: string): number => 3 + character.charCodeAt(0);
  const sixtyEight = dataset.row(68);
  expect([...sixtyEight.tokens]).toEqual([...'qa68'].map(id).concat(2));
  expect([...sixtyEight.loss]).toEqual([0, 1, 1, 1, 1]);
  expect(sixtyEight.sample).toBe(68);
  expect(dataset.row(149).sample).toBe(149);
});

test('leaves out and counts what is right but of no use', async () => {
  const file = jsonl(
    { input_ids: [5, 6, 7] },
    { input_ids: Array.from({ length: 13 }, () => 5) },
    { input_ids: [5, 6], labels: [-100, -100] },
    { input_ids: [5, 6, 7], labels: [-100, -100, 7] },
    { input_ids: [5, 6, 7, 8, 9], labels: [-100, 6, -100, 8, 9] },
    { input_ids: Array.from({ length: 12 }, () => 5) },
    { input_ids: [] },
  );
  const { dataset, report } = await loadDataset([file], options);
  expect(report.rowsRead).toBe(7);
  expect(report.rowsUsed).toBe(3);
  expect(report.skipped).toEqual({
    tooLong: { count: 1, places: [`${file}:2`] },
    noLoss: { count: 2, places: [`${file}:3`, `${file}:7`] },
    shortResponse: { count: 1, places: [`${file}:4`] },
  });
  expect(report.responsesWithoutNoise).toEqual({ count: 1, places: [`${file}:5`] });
  expect(report.lossTokens).toBe(2 + 3 + 11);
  expect([0, 1, 2].map((row) => dataset.row(row).sample)).toEqual([0, 4, 5]);
  expect(describeSkips(report, 12).map((line) => line.replaceAll(file, 'f'))).toEqual([
    '1 row skipped: more tokens than sequenceLength, 12 (f:2)',
    '2 rows skipped: no token carries loss (f:3, f:7)',
    '1 row skipped: no response has two tokens or more (f:4)',
    '1 row used with a response of one token, which gets no noise (f:5)',
  ]);
});

test('names the first five places only', async () => {
  const file = jsonl({ input_ids: [1, 2, 3] }, ...Array.from({ length: 7 }, () => ({ input_ids: [1] })));
  const { report } = await loadDataset([file], options);
  expect(report.skipped.noLoss).toMatchObject({ count: 7, places: { length: 5 } });
  expect(describeSkips(report, 12)[0]).toMatch(/rows\.jsonl:6, …\)$/);
});

test('an empty completion has nothing to teach but the end', async () => {
  const file = jsonl(pair('q', ''), pair('q', 'ab'));
  expect((await loadDataset([file], options)).report.skipped.shortResponse.count).toBe(1);
});

test('counts rows where a token spans the border', async () => {
  const { report } = await loadDataset([jsonl(pair('at', 'he'), pair('q', 'ab'))], options);
  expect(report.straddled.count).toBe(1);
});

describe('errors', () => {
  test.each<[string, object[], Partial<LoadOptions>, RegExp]>([
    [
      'over-long row, where asked for',
      [pair('q', 'ok'), pair('q', 'x'.repeat(20))],
      { overlong: 'error' },
      /rows\.jsonl:2: 22 tokens are more than sequenceLength, 12$/,
    ],
    [
      'missing column',
      [pair('q', 'ok'), { prompt: 'q' }],
      {},
      /rows\.jsonl:2: completion: the column is missing; there are: prompt$/,
    ],
    [
      'id outside the vocabulary',
      [{ input_ids: [1, 271] }],
      {},
      /rows\.jsonl:1: token 1: expected an id from 0 to 270, received 271/,
    ],
    ['negative id', [{ input_ids: [1, -1] }], {}, /rows\.jsonl:1: token 1: .* received -1/],
    ['no rows', [], {}, /rows\.jsonl: there are no rows$/],
    [
      'no row left',
      [{ input_ids: [1] }],
      {},
      /rows\.jsonl: no row is left to train on: 1 row skipped: no token carries loss/,
    ],
    [
      'no tokenizer',
      [pair('q', 'ok')],
      { tokenizer: undefined },
      /rows\.jsonl:1: the model has no tokenizer/,
    ],
  ])('%s', async (_, rows, changes, message) => {
    await expect(loadDataset([jsonl(...rows)], { ...options, ...changes })).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: expect.stringMatching(message) as string }),
    );
  });

  test('an abort', async () => {
    await expect(
      loadDataset([jsonl(pair('q', 'ok'))], { ...options, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});

test('responses are maximal runs of loss tokens', () => {
  expect(responseLengths(Uint8Array.of(1, 0, 1, 1, 0, 0, 1, 1, 1))).toEqual([1, 2, 3]);
  expect(responseLengths(Uint8Array.of())).toEqual([]);
});
