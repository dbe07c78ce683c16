/** What `msn bench` measures, and how often: its options, validated. */
import { z } from 'zod';
import {
  abortSignal,
  callback,
  deviceName,
  either,
  exactly,
  integer,
  oneOf,
  options,
  path,
  seed,
  text,
  threadCount,
} from '../validate';
import { suiteNames } from './report';

const suite = oneOf(suiteNames);
const tree = either("'auto', 'paper' or a number of nodes from 1 to 1024", [
  exactly('auto'),
  exactly('paper'),
  integer(1, 1024),
] as const);

export const benchOptions = options({
  /** A model folder; or else a named shape, or a config.json, with random weights. Exactly one of the three. */
  model: path().optional(),
  shape: text().optional(),
  config: path().optional(),
  device: deviceName().default('auto'),
  dtype: oneOf(['auto', 'f32', 'bf16', 'int8']).default('auto'),
  threads: threadCount().default('auto'),
  suites: z
    .array(suite)
    .min(1, { error: 'at least one suite' })
    .default([...suiteNames]),
  /** Timed repetitions of everything, after one that is not counted. */
  repeats: integer(1, 1000).default(5),
  /** Tokens before the measured ones in decode and verify, and in generate with random weights. */
  promptTokens: integer(1).default(128),
  /** New tokens of a generation. */
  newTokens: integer(2).default(64),
  /** Nodes of a step in the suite verify. */
  nodes: z.array(integer(1, 1024)).default([1, 2, 4, 8, 16, 32, 64]),
  /** Prompt lengths of the suite prefill. */
  prefillTokens: z.array(integer(1)).default([64, 192]),
  /** Rows of a training step, and tokens of a row; default: 16 x 83 up to a hidden size of 128, else 2 x 256. */
  rows: integer(1).optional(),
  rowTokens: integer(2).optional(),
  /** Draft trees of the suite generate, a number being nodes with the root. */
  trees: z.array(tree).default(['auto', 'paper']),
  /** Texts to continue, or user messages where the model has a chat template; default: a few of our own. */
  prompts: z.array(text()).default([]),
  seed: seed().default(0),
  signal: abortSignal().optional(),
  /** Called with what is being measured, for a person who waits. */
  onProgress: callback<(message: string) => void>().optional(),
});

export type BenchOptions = z.input<typeof benchOptions>;
export type BenchSettings = z.output<typeof benchOptions>;
export type BenchTree = BenchSettings['trees'][number];

/** Rows and tokens of a training step: the batches that bench/peers times in PyTorch. */
export function trainingBatch(
  settings: BenchSettings,
  hiddenSize: number,
): { rows: number; rowTokens: number } {
  const usual = hiddenSize <= 128 ? { rows: 16, rowTokens: 83 } : { rows: 2, rowTokens: 256 };
  return { rows: settings.rows ?? usual.rows, rowTokens: settings.rowTokens ?? usual.rowTokens };
}
