/** Reads, tokenises and checks a data set; what cannot be trained on is an error or is counted, never dropped silently. */
import { MakeSomeNoiseError } from '../errors';
import { TokenDataset } from './dataset';
import { rowReader, type DataFormat, type RowReader } from './formats';
import { dataError, readRows, type SourceRow } from './read';
import { tokenizeExample, type TokenizedExample, type TrainingTokenizer } from './tokenize';

export interface LoadOptions {
  format: DataFormat;
  /** Undefined for a model without one: only format 'tokens' can be used then. */
  tokenizer: TrainingTokenizer | undefined;
  vocabularySize: number;
  /** Longest row in tokens. */
  sequenceLength: number;
  /** Rows over it: counted and left out, or an error. */
  overlong: 'skip' | 'error';
  signal?: AbortSignal;
}

/**
 * Why a row is left out:
 * - `tooLong`: more tokens than `sequenceLength`. It is not cut, as a response without its end teaches not to end.
 * - `noLoss`: no token carries loss, because nobody speaks as assistant or all labels are -100.
 * - `shortResponse`: no response has two tokens, so there is neither room for noise nor more than the end to learn.
 */
export type SkipReason = 'tooLong' | 'noLoss' | 'shortResponse';

export interface Tally {
  count: number;
  /** The first five, for messages. */
  places: string[];
}

export interface DataReport {
  files: string[];
  rowsRead: number;
  rowsUsed: number;
  tokens: number;
  lossTokens: number;
  skipped: Record<SkipReason, Tally>;
  /** Rows in use that also have a response of one token, which gets no noise. */
  responsesWithoutNoise: Tally;
  /** Rows in use where one token spans the border of prompt and response. */
  straddled: Tally;
}

/** Rows tokenised at once: the tokenizer works on threads of its own. */
const ROWS_AT_ONCE = 64;

/**
 * The rows of all files in order. Wrong data (unreadable, not JSON, a missing column, a wrong type, a token id
 * outside the vocabulary) is ERR_DATA naming file and line; rows that are right but of no use are left out and
 * counted in the report under the reasons of {@link SkipReason}, as TRL and axolotl do for over-long rows.
 * @throws MakeSomeNoiseError ERR_DATA also when no row is left; ERR_ABORTED.
 */
export async function loadDataset(
  files: readonly string[],
  options: LoadOptions,
): Promise<{ dataset: TokenDataset; report: DataReport }> {
  const dataset = new TokenDataset();
  const report = emptyReport(files);
  let pending: SourceRow[] = [];
  let reader: RowReader | undefined;
  const flush = async (): Promise<void> => {
    if (options.signal?.aborted) throw new MakeSomeNoiseError('ERR_ABORTED', 'reading the data was aborted');
    const examples = pending.map((row) => ({ row, example: reader!(row) }));
    const tokenized = await Promise.all(
      examples.map(({ row, example }) => tokenizeExample(example, options.tokenizer, row.place)),
    );
    tokenized.forEach((example, index) => take(example, pending[index]!.place, options, dataset, report));
    pending = [];
  };
  for (const file of files) {
    for await (const row of readRows(file)) {
      reader ??= rowReader(options.format, row);
      pending.push(row);
      if (pending.length === ROWS_AT_ONCE) await flush();
    }
  }
  await flush();
  if (dataset.rows === 0) throw dataError(files.join(', '), nothingLeft(report));
  return { dataset, report };
}

function take(
  { tokens, loss, straddled }: TokenizedExample,
  place: string,
  options: LoadOptions,
  dataset: TokenDataset,
  report: DataReport,
): void {
  const sample = report.rowsRead++;
  tokens.forEach((token, index) => {
    if (token >= 0 && token < options.vocabularySize) return;
    throw dataError(
      place,
      `token ${index}: expected an id from 0 to ${options.vocabularySize - 1}, received ${token}; ` +
        'is it the tokenizer of another model?',
    );
  });
  if (tokens.length > options.sequenceLength && options.overlong === 'error') {
    throw dataError(place, `${tokens.length} tokens are more than sequenceLength, ${options.sequenceLength}`);
  }
  const responses = responseLengths(loss);
  const reason = skipReason(tokens.length, responses, options.sequenceLength);
  if (reason !== undefined) {
    note(report.skipped[reason], place);
    return;
  }
  if (responses.some((length) => length < 2)) note(report.responsesWithoutNoise, place);
  if (straddled) note(report.straddled, place);
  dataset.add({ tokens, loss, sample });
  report.rowsUsed++;
  report.tokens += tokens.length;
  report.lossTokens += responses.reduce((sum, length) => sum + length, 0);
}

function skipReason(tokens: number, responses: number[], sequenceLength: number): SkipReason | undefined {
  if (tokens > sequenceLength) return 'tooLong';
  if (responses.length === 0) return 'noLoss';
  return Math.max(...responses) < 2 ? 'shortResponse' : undefined;
}

/** Lengths of the maximal runs of loss tokens. */
export function responseLengths(loss: Uint8Array): number[] {
  const lengths: number[] = [];
  loss.forEach((counts, index) => {
    if (counts === 0) return;
    if (index > 0 && loss[index - 1] === 1) lengths[lengths.length - 1]!++;
    else lengths.push(1);
  });
  return lengths;
}

function note(tally: Tally, place: string): void {
  tally.count++;
  if (tally.places.length < 5) tally.places.push(place);
}

function emptyReport(files: readonly string[]): DataReport {
  const tally = (): Tally => ({ count: 0, places: [] });
  return {
    files: [...files],
    rowsRead: 0,
    rowsUsed: 0,
    tokens: 0,
    lossTokens: 0,
    skipped: { tooLong: tally(), noLoss: tally(), shortResponse: tally() },
    responsesWithoutNoise: tally(),
    straddled: tally(),
  };
}

function nothingLeft(report: DataReport): string {
  const lines = describeSkips(report, undefined);
  return lines.length === 0 ? 'there are no rows' : `no row is left to train on: ${lines.join('; ')}`;
}

/** One sentence for everything that was left out or is worth knowing; empty when all is plain. */
export function describeSkips(report: DataReport, sequenceLength: number | undefined): string[] {
  const limit = sequenceLength === undefined ? '' : `, ${sequenceLength}`;
  const sentences: Array<[Tally, (rows: string) => string]> = [
    [report.skipped.tooLong, (rows) => `${rows} skipped: more tokens than sequenceLength${limit}`],
    [report.skipped.noLoss, (rows) => `${rows} skipped: no token carries loss`],
    [report.skipped.shortResponse, (rows) => `${rows} skipped: no response has two tokens or more`],
    [
      report.responsesWithoutNoise,
      (rows) => `${rows} used with a response of one token, which gets no noise`,
    ],
    [report.straddled, (rows) => `${rows} used where one token spans the border of prompt and response`],
  ];
  return sentences.flatMap(([{ count, places }, sentence]) =>
    count === 0
      ? []
      : [
          `${sentence(count === 1 ? '1 row' : `${count} rows`)} (${places.join(', ')}${count > places.length ? ', …' : ''})`,
        ],
  );
}
