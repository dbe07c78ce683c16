/** Loads the data of a run: what it trains on and what it is evaluated on. */
import type { TokenDataset } from '../data/dataset';
import { describeSkips, loadDataset, type DataReport, type LoadOptions } from '../data/load';
import { splitDataset } from '../data/split';
import { MakeSomeNoiseError } from '../errors';
import type { CheckedOptions } from './options';
import type { TrainingSource } from './source';

export interface TrainingData {
  training: TokenDataset;
  evaluation: TokenDataset | undefined;
  sequenceLength: number;
  report: DataReport;
  evalReport: DataReport | undefined;
  /** Sentences about rows that were left out, for the log. */
  remarks: string[];
}

const DEFAULT_SEQUENCE_LENGTH = 1024;

export async function loadTrainingData(
  options: CheckedOptions,
  source: TrainingSource,
): Promise<TrainingData> {
  const { contextLength, vocabularySize } = source.shape;
  const sequenceLength = options.sequenceLength ?? Math.min(DEFAULT_SEQUENCE_LENGTH, contextLength);
  if (sequenceLength > contextLength) {
    throw new MakeSomeNoiseError(
      'ERR_INVALID_ARGUMENT',
      `sequenceLength: expected at most the model's context length, ${contextLength}, received ${sequenceLength}`,
    );
  }
  const loading: LoadOptions = {
    format: options.format,
    tokenizer: source.tokenizer,
    vocabularySize,
    sequenceLength,
    overlong: options.overlong,
    ...(options.signal && { signal: options.signal }),
  };
  const { dataset, report } = await loadDataset(options.data, loading);
  const evalLoaded =
    options.evalData === undefined ? undefined : await loadDataset(options.evalData, loading);
  const split =
    options.evalFraction === undefined
      ? undefined
      : splitDataset(dataset, options.evalFraction, options.seed);
  const remarks = (name: string, of: DataReport | undefined): string[] =>
    of === undefined ? [] : describeSkips(of, sequenceLength).map((sentence) => `${name}: ${sentence}`);
  return {
    training: split?.training ?? dataset,
    evaluation: split?.evaluation ?? evalLoaded?.dataset,
    sequenceLength,
    report,
    evalReport: evalLoaded?.report,
    remarks: [...remarks('data', report), ...remarks('evalData', evalLoaded?.report)],
  };
}
