/** Options are validated once, here, with one message form: `noise.length: expected an integer from 1 to 64, received 0`. */
import { z } from 'zod';
import { MakeSomeNoiseError, type ErrorCode } from './errors';

/** Seeds are whole numbers that a double holds exactly. */
export const largestSeed = Number.MAX_SAFE_INTEGER;

/**
 * The value checked against the schema, defaults filled in.
 *
 * @param where what the value is to the caller ("prompt"); empty for an options object, whose keys then begin the path
 * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT (or `code`), naming the first option that is wrong
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where = '',
  code: ErrorCode = 'ERR_INVALID_ARGUMENT',
): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw new MakeSomeNoiseError(code, describeIssue(mostTelling(result.error.issues)!, where));
}

/** A schema for what a predicate accepts; `description` completes "expected ...". */
export function expected<Type>(description: string, accepts: (value: unknown) => boolean) {
  return z.custom<Type>(accepts, { error: description });
}

/** An object of options; a key that is not in `shape` is an error with a suggestion. */
export function options<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownOption(issue.keys[0] as string, known) : undefined,
  });
}

/** One of several schemas; `description` completes "expected ..." when the value resembles none of them. */
export function either<const Schemas extends readonly z.ZodType[]>(description: string, schemas: Schemas) {
  return z.union(schemas, { error: description });
}

export const integer = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  expected<number>(
    most === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${least}`
      : `an integer from ${least} to ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );

/** A finite number in [least, most]. */
export const number = (least: number, most = Number.MAX_VALUE) =>
  expected<number>(
    most === Number.MAX_VALUE ? `a number of at least ${least}` : `a number from ${least} to ${most}`,
    (value) => typeof value === 'number' && value >= least && value <= most,
  );

/** A finite number in (above, most]. */
export const numberAbove = (above: number, most = Number.MAX_VALUE) =>
  expected<number>(
    most === Number.MAX_VALUE ? `a number above ${above}` : `a number above ${above} and at most ${most}`,
    (value) => typeof value === 'number' && value > above && value <= most,
  );

export const seed = () =>
  expected<number>(
    'an integer from 0 to 2^53 - 1',
    (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  );

export const boolean = () => expected<boolean>('true or false', (value) => typeof value === 'boolean');

export const text = (description = 'a string') =>
  expected<string>(description, (value) => typeof value === 'string');

/** A string that can name a file or folder. */
export const path = () =>
  expected<string>(
    'a path (a string that is not empty)',
    (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  );

export const oneOf = <const Names extends readonly string[]>(names: Names) =>
  expected<Names[number]>(
    names.map((name) => `'${name}'`).join(' or '),
    (value) => typeof value === 'string' && names.includes(value),
  );

/** Exactly this value, as part of an `either`. */
export const exactly = <const Value extends string | boolean>(value: Value) =>
  expected<Value>(typeof value === 'string' ? `'${value}'` : String(value), (received) => received === value);

export const abortSignal = () =>
  expected<AbortSignal>(
    'an AbortSignal',
    (value) =>
      typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value,
  );

export const callback = <Function_ extends (...parameters: never[]) => unknown>() =>
  expected<Function_>('a function', (value) => typeof value === 'function');

/** 'auto' | 'cpu' | 'cuda' | 'cuda:N' */
export const deviceName = () =>
  expected<string>(
    "'auto', 'cpu', 'cuda' or 'cuda:' and a number",
    (value) => typeof value === 'string' && /^(auto|cpu|cuda(:\d{1,3})?)$/.test(value),
  );

export const threadCount = () =>
  either("'auto' or an integer from 1 to 1024", [exactly('auto'), integer(1, 1024)] as const);

/** Token ids as an Int32Array; a plain array or any integer typed array is copied into one. */
export const tokenIds = () =>
  expected<ArrayLike<unknown>>('an Int32Array (or an array) of token ids', isNumberArray).transform(
    toTokenIds,
  );

function isNumberArray(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function toTokenIds(ids: ArrayLike<unknown>, context: z.core.$RefinementCtx): Int32Array {
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index];
    if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= 0x7fffffff) continue;
    const message = 'a token id (an integer of at least 0)';
    context.addIssue({ code: 'custom', message, path: [index], input: id });
    return z.NEVER;
  }
  return Int32Array.from(ids as ArrayLike<number>);
}

function describeIssue(issue: z.core.$ZodIssue, where: string, prefix: PropertyKey[] = []): string {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const place = describePath(path, where);
    return place === '' ? issue.message : `${place}: ${issue.message}`;
  }
  if (issue.code === 'invalid_union') {
    const nested = closestBranch(issue.errors);
    if (nested !== undefined) return describeIssue(nested, where, path);
  }
  const description =
    issue.code === 'invalid_type' && issue.expected === 'array' ? 'an array' : issue.message;
  const wanted = issue.code === 'invalid_type' && issue.expected === 'object' ? 'an object' : description;
  return `${describePath(path, where) || 'options'}: expected ${wanted}, received ${describeValue(issue.input)}`;
}

/** A wrong name explains why another is missing, so it goes first. */
function mostTelling(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue | undefined {
  return issues.find((issue) => issue.code === 'unrecognized_keys') ?? issues[0];
}

/** The complaint of the branch of a union that the value came closest to; undefined if it resembles none. */
function closestBranch(branches: z.core.$ZodIssue[][]): z.core.$ZodIssue | undefined {
  const complaints = branches.flatMap((issues) => mostTelling(issues) ?? []);
  const unknownNames = complaints.filter((issue) => issue.code === 'unrecognized_keys');
  const inside = complaints.filter((issue) => issue.code !== 'unrecognized_keys' && issue.path.length > 0);
  if (inside.length > 0) return inside.reduce((a, b) => (b.path.length > a.path.length ? b : a));
  return unknownNames.find((issue) => issue.message.includes(suggestionOpening)) ?? unknownNames[0];
}

function describePath(path: PropertyKey[], where: string): string {
  let place = where;
  for (const part of path) {
    if (typeof part === 'number') place += `[${part}]`;
    else place += place === '' ? String(part) : `.${String(part)}`;
  }
  return place;
}

/** A value as an error message shows it, short and on one line. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const name = (value.constructor as { name?: string } | undefined)?.name;
    return name === undefined || name === 'Object' ? 'an object' : `an object of class ${name}`;
  }
  return String(value);
}

const suggestionOpening = ' (did you mean ';

function unknownOption(name: string, known: string[]): string {
  const suggestion = closestName(name, known);
  return (
    `unknown option "${name}"` + (suggestion === undefined ? '' : `${suggestionOpening}"${suggestion}"?)`)
  );
}

/** The known name at the smallest edit distance, when it is small enough to be a typing mistake. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let smallest = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < smallest) [best, smallest] = [candidate, distance];
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substitution = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
