/** Options of the command line that are options of the library: declared once, handed down unchecked. */
import { Option, type Command } from 'commander';
import { parse } from 'yaml';

/** One option of the library as the command line offers it. */
export interface OptionRow {
  /** The option's name in the library: 'noise.length'. Also the flag, `--noise.length`, unless `flag` says otherwise. */
  path: string;
  /** Shown in the help: '<number>'. */
  value: string;
  help: string;
  /** A shorter flag, without dashes. */
  flag?: string;
  /** Taken as it stands; else it is read as YAML: 3 is a number, false is false, [1, 2] is a list. */
  isText?: boolean;
  /** May be given several times. */
  isList?: boolean;
}

export const deviceRows: readonly OptionRow[] = [
  { path: 'device', value: '<name>', help: "auto, cpu, cuda or cuda:N (default: 'auto')", isText: true },
  { path: 'threads', value: '<count>', help: 'threads of the CPU engine (default: one per physical core)' },
];

export const modelRows: readonly OptionRow[] = [
  ...deviceRows,
  {
    path: 'dtype',
    value: '<name>',
    help: "auto (as stored; bf16 on CUDA), f32, bf16, int8 (CUDA) (default: 'auto')",
    isText: true,
  },
  { path: 'contextLength', value: '<tokens>', help: "longest text in tokens (default: the model's)" },
];

export function addOptions(command: Command, rows: readonly OptionRow[]): void {
  for (const row of rows) {
    const option = new Option(`--${flagOf(row)} ${row.value}`, row.help);
    if (row.isList === true)
      option.argParser<string[]>((value, before) => [...((before as string[] | undefined) ?? []), value]);
    command.addOption(option);
  }
}

/** The options that were given, as the library takes them: nested, and parsed where they are not texts. */
export function collectOptions(
  flags: Readonly<Record<string, unknown>>,
  rows: readonly OptionRow[],
): Record<string, unknown> {
  const collected: Record<string, unknown> = {};
  for (const row of rows) {
    const given = flags[attributeOf(flagOf(row))];
    if (given === undefined) continue;
    setPath(collected, row.path, typeof given === 'string' && row.isText !== true ? readValue(given) : given);
  }
  return collected;
}

/** Sets 'noise.length' inside of an object; an object replaces anything else that stood on the way. */
export function setPath(target: Record<string, unknown>, path: string, value: unknown): void {
  const [head, ...rest] = path.split('.') as [string, ...string[]];
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const inner = isObject(target[head]) ? { ...target[head] } : {};
  setPath(inner, rest.join('.'), value);
  target[head] = inner;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `--learningRate` is `--learning-rate`: the words of the library are understood as they are. */
export function normalizeFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, index) => {
    if (!word.startsWith('--') || (end !== -1 && index >= end)) return word;
    const [flag, ...value] = word.split('=') as [string, ...string[]];
    return [kebabCase(flag), ...value].join('=');
  });
}

function flagOf(row: OptionRow): string {
  return kebabCase(row.flag ?? row.path);
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The name under which commander keeps a flag's value. */
function attributeOf(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** A scalar, or a list or map in flow style; what is not YAML stays a text. */
export function readValue(text: string): unknown {
  try {
    return parse(text, { version: '1.2', schema: 'core' }) as unknown;
  } catch {
    return text;
  }
}
