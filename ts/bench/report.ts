/** What `msn bench` writes with --json and reads back with --baseline. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { MakeSomeNoiseError } from '../errors';

export const suiteNames = ['decode', 'verify', 'prefill', 'train', 'generate'] as const;
export type SuiteName = (typeof suiteNames)[number];

const spread = z.strictObject({
  samples: z.int().positive(),
  min: z.number(),
  lowerQuartile: z.number(),
  median: z.number(),
  upperQuartile: z.number(),
  max: z.number(),
});

const measurement = z.strictObject({
  suite: z.enum(suiteNames),
  /** Names the measurement within its suite: '16 nodes', 'tr-jacobi {nodes: 16}'. */
  name: z.string(),
  unit: z.enum(['ms', 'ms/token', 'tokens/s', 'tokens/step', 'x autoregressive']),
  better: z.enum(['lower', 'higher']),
  spread,
});

const machine = z.strictObject({
  cpu: z.string(),
  logicalCores: z.int(),
  memoryBytes: z.int(),
  platform: z.string(),
  node: z.string(),
  version: z.string(),
  date: z.string(),
});

const subject = z.strictObject({
  /** A folder's name, or a shape's with random weights. */
  name: z.string(),
  weights: z.enum(['loaded', 'random']),
  parameters: z.int(),
  dtype: z.string(),
  device: z.string(),
  instructions: z.string(),
  threads: z.int(),
});

/** Not strict: a report printed beside a comparison is a report, too. */
const report = z.object({
  format: z.literal('makesomenoise-bench-1'),
  machine,
  subject,
  /** Settings that a repetition needs, by suite: prompt length, new tokens, repeats. */
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.number())])),
  measurements: z.array(measurement),
  /** What a suite found wrong: a text that differs between methods. Empty when all is well. */
  failures: z.array(z.string()),
});

export type Measurement = z.infer<typeof measurement>;
export type MachineDescription = z.infer<typeof machine>;
export type SubjectDescription = z.infer<typeof subject>;
export type BenchReport = z.infer<typeof report>;

/** Throws ERR_INVALID_ARGUMENT when the file cannot be read or is no report of this version. */
export function readReport(path: string): BenchReport {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const { message } = cause as Error;
    throw new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', `baseline: cannot read ${path}: ${message}`, {
      cause,
    });
  }
  const parsed = report.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') || 'the file';
  throw new MakeSomeNoiseError(
    'ERR_INVALID_ARGUMENT',
    `baseline: ${path} is no report of \`msn bench --json\`: ${where}: ${issue?.message ?? 'unknown content'}`,
    { cause: parsed.error },
  );
}
