import * as fc from 'fast-check';
import { IncrementalDecoder, type TokenDecoding } from '../../../ts/model/incremental-decoder';

/** Pieces of the two kinds of tokenizers; '' is a special token, which decoding leaves out. */
const pieces = ['', ' ', '  ', ' a', 'b', ' the', 'é', '日本', '\n', ' \ufffd', 'x.'];
const bytes = [...Buffer.from('é日🎉'), 0xff, 0x41];

/** As sentencepiece with byte fallback: one space is taken off the front, a run of bytes is UTF-8 or all U+FFFD. */
function decodeWithByteFallback(tokens: readonly number[]): string {
  let text = '';
  let run: number[] = [];
  const closeRun = () => {
    const decoded = Buffer.from(run).toString();
    text += decoded.includes('\ufffd') ? '\ufffd'.repeat(run.length) : decoded;
    run = [];
  };
  for (const token of tokens) {
    if (token >= pieces.length) {
      run.push(bytes[token - pieces.length]!);
    } else if (pieces[token]! !== '') {
      closeRun();
      text += pieces[token]!;
    }
  }
  closeRun();
  return text.startsWith(' ') ? text.slice(1) : text;
}

/** As byte-level BPE: all tokens are bytes, decoded together. */
function decodeBytes(tokens: readonly number[]): string {
  return Buffer.concat(
    tokens.map((token) =>
      token < pieces.length ? Buffer.from(pieces[token]!) : Buffer.of(bytes[token - pieces.length]!),
    ),
  ).toString();
}

const kinds: Array<[string, (tokens: readonly number[]) => string, (token: number) => boolean]> = [
  ['byte fallback', decodeWithByteFallback, (token) => token === 0 || token >= pieces.length],
  ['byte level', decodeBytes, () => false],
];

const steps = fc.array(fc.array(fc.nat(pieces.length + bytes.length - 1), { maxLength: 6 }), {
  maxLength: 60,
});

test.each(kinds)('%s: what is out stays, and in sum it is the whole', async (_, decode, leavesOpen) => {
  await fc.assert(
    fc.asyncProperty(steps, async (tokensOfSteps) => {
      const decoding: TokenDecoding = { decode: (tokens) => Promise.resolve(decode(tokens)), leavesOpen };
      const decoder = new IncrementalDecoder(decoding);
      const seen: number[] = [];
      let text = '';
      for (const tokens of tokensOfSteps) {
        text += await decoder.push(tokens);
        seen.push(...tokens);
        expect(text + decoder.unstableText).toBe(decode(seen));
      }
      expect(text + (await decoder.flush())).toBe(decode(seen));
    }),
    { numRuns: 300 },
  );
});

test('plain text comes at once', async () => {
  const decoder = new IncrementalDecoder({
    decode: (tokens) => Promise.resolve(decodeWithByteFallback(tokens)),
    leavesOpen: (token) => token === 0 || token >= pieces.length,
  });
  expect(await decoder.push([3, 4])).toBe('ab');
  expect(await decoder.push([5])).toBe(' the');
});

test('the cost of a step does not grow with the text', async () => {
  let longest = 0;
  const decoder = new IncrementalDecoder({
    decode: (tokens) => {
      longest = Math.max(longest, tokens.length);
      return Promise.resolve(decodeWithByteFallback(tokens));
    },
    leavesOpen: () => false,
  });
  for (let step = 0; step < 1000; step++) await decoder.push([3, 5]);
  expect(longest).toBeLessThan(100);
});
