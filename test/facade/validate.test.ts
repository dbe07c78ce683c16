import { z } from 'zod';
import { MakeSomeNoiseError } from '../../ts/errors';
import {
  abortSignal,
  boolean,
  callback,
  closestName,
  deviceName,
  either,
  exactly,
  integer,
  number,
  numberAbove,
  oneOf,
  options,
  path,
  seed,
  text,
  threadCount,
  tokenIds,
  validate,
} from '../../ts/validate';

function messageOf(schema: z.ZodType, value: unknown, where?: string): string {
  try {
    validate(schema, value, where);
  } catch (error) {
    expect(error).toBeInstanceOf(MakeSomeNoiseError);
    expect((error as MakeSomeNoiseError).code).toBe('ERR_INVALID_ARGUMENT');
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

const schema = options({
  for: text().optional(),
  noise: either('an object or false', [
    exactly(false),
    options({ length: integer(1, 64).default(5), kind: oneOf(['ahead', 'uniform']).default('ahead') }),
  ] as const).default({ length: 5, kind: 'ahead' }),
  tokens: tokenIds().optional(),
});

test('defaults are filled in', () => {
  expect(validate(schema, {})).toEqual({ noise: { length: 5, kind: 'ahead' } });
  expect(validate(schema, { noise: { length: 3 } }).noise).toEqual({ length: 3, kind: 'ahead' });
  expect(validate(schema, { noise: false }).noise).toBe(false);
});

test('one message form', () => {
  expect(messageOf(schema, { noise: { length: 0 } })).toBe(
    'noise.length: expected an integer from 1 to 64, received 0',
  );
  expect(messageOf(schema, { noise: { kind: 'ahed' } })).toBe(
    `noise.kind: expected 'ahead' or 'uniform', received "ahed"`,
  );
  expect(messageOf(schema, { noise: 7 })).toBe('noise: expected an object or false, received 7');
  expect(messageOf(schema, { fro: 'x' })).toBe('unknown option "fro" (did you mean "for"?)');
  expect(messageOf(schema, { whatever: 1 })).toBe('unknown option "whatever"');
  expect(messageOf(schema, { noise: { lenght: 1 } })).toBe(
    'noise: unknown option "lenght" (did you mean "length"?)',
  );
  expect(messageOf(schema, 3)).toBe('options: expected an object, received 3');
  expect(messageOf(schema, null)).toBe('options: expected an object, received null');
  expect(messageOf(integer(2), -1.5, 'topK')).toBe('topK: expected an integer of at least 2, received -1.5');
  expect(messageOf(z.array(text()), 'x', 'stop')).toBe('stop: expected an array, received "x"');
  expect(messageOf(z.array(text()), ['x', 5], 'stop')).toBe('stop[1]: expected a string, received 5');
});

test.each([
  [number(0, 1), 1.5, 'a number from 0 to 1, received 1.5'],
  [number(0), NaN, 'a number of at least 0, received NaN'],
  [number(0), Infinity, 'a number of at least 0, received Infinity'],
  [numberAbove(0, 1), 0, 'a number above 0 and at most 1, received 0'],
  [numberAbove(0), '1', 'a number above 0, received "1"'],
  [seed(), 2 ** 53, 'an integer from 0 to 2^53 - 1, received 9007199254740992'],
  [seed(), -1, 'an integer from 0 to 2^53 - 1, received -1'],
  [boolean(), 'yes', 'true or false, received "yes"'],
  [path(), '', 'a path (a string that is not empty), received ""'],
  [abortSignal(), {}, 'an AbortSignal, received an object'],
  [callback(), 5n, 'a function, received 5n'],
  [deviceName(), 'gpu', `'auto', 'cpu', 'cuda' or 'cuda:' and a number, received "gpu"`],
  [threadCount(), 0, `'auto' or an integer from 1 to 1024, received 0`],
  [tokenIds(), 'text', 'an Int32Array (or an array) of token ids, received "text"'],
])('%#', (one, value, tail) => {
  expect(messageOf(one, value, 'it')).toBe(`it: expected ${tail}`);
});

test('token ids become an Int32Array; a bad one is named by its index', () => {
  expect(validate(tokenIds(), [1, 2])).toEqual(Int32Array.of(1, 2));
  expect(messageOf(schema, { tokens: [1, -2] })).toBe(
    'tokens[1]: expected a token id (an integer of at least 0), received -2',
  );
  expect(messageOf(tokenIds(), [1, 2.5], 'prefix')).toMatch(/^prefix\[1\]: .* received 2\.5$/);
  expect(messageOf(tokenIds(), [2 ** 31], 'prefix')).toMatch(/received 2147483648$/);
});

test('seeds up to 2^53 - 1', () => {
  expect(validate(seed(), Number.MAX_SAFE_INTEGER)).toBe(2 ** 53 - 1);
  expect(validate(abortSignal(), new AbortController().signal).aborted).toBe(false);
});

test('of several shapes, the one that the value resembles complains', () => {
  const tree = either("'auto', { nodes } or { paths }", [
    exactly('auto'),
    options({ nodes: integer(1) }),
    options({ paths: z.array(integer(0)) }),
  ] as const);
  expect(messageOf(tree, { nodes: 0 }, 'tree')).toBe(
    'tree.nodes: expected an integer of at least 1, received 0',
  );
  expect(messageOf(tree, { paths: [-1] }, 'tree')).toMatch(/^tree\.paths\[0\]: /);
  expect(messageOf(tree, { node: 1 }, 'tree')).toBe('tree: unknown option "node" (did you mean "nodes"?)');
  expect(messageOf(tree, 'big', 'tree')).toBe(
    `tree: expected 'auto', { nodes } or { paths }, received "big"`,
  );
});

test('suggestions are close in spelling', () => {
  expect(closestName('maxNewToken', ['stop', 'maxNewTokens'])).toBe('maxNewTokens');
  expect(closestName('zzz', ['stop'])).toBeUndefined();
});
