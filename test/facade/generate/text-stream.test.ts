import { IncrementalDecoder } from '../../../ts/model/incremental-decoder';
import { TextStream } from '../../../ts/generate/text-stream';

/** Tokens below 256 are bytes of their own, as in byte fallback; 256 and on are pieces of text. */
function streamOf(pieces: string[], stop: string[]): TextStream {
  const decode = (tokens: number[]): string => {
    let text = '';
    for (let index = 0; index < tokens.length;) {
      const run: number[] = [];
      while (index < tokens.length && tokens[index]! < 256) run.push(tokens[index++]!);
      try {
        text += new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(run));
      } catch {
        text += '\ufffd'.repeat(run.length);
      }
      if (index < tokens.length) text += pieces[tokens[index++]! - 256]!;
    }
    return text;
  };
  const decoding = {
    decode: (tokens: number[]) => Promise.resolve(decode(tokens)),
    leavesOpen: (token: number) => token < 256,
  };
  return new TextStream(new IncrementalDecoder(decoding), stop);
}

/** What the steps give, step by step, until a stop string. */
async function feed(stream: TextStream, steps: number[][]) {
  const texts: string[] = [];
  for (const [index, step] of steps.entries()) {
    const { text, taken, stopped } = await stream.push(Int32Array.from(step));
    texts.push(text);
    if (stopped) return { texts, step: index, taken };
  }
  const { text, stopped } = await stream.finish();
  return { texts: [...texts, text], step: stopped ? steps.length : undefined, taken: undefined };
}

const pieces = ['Hello', ' wor', 'ld', '!', '<e', 'nd', '>', 'x'];
const [hello, wor, ld, bang, open, nd, close, x] = [256, 257, 258, 259, 260, 261, 262, 263] as const;

test('without stop strings text comes as it is', async () => {
  const { texts } = await feed(streamOf(pieces, []), [[hello, wor], [ld], [bang]]);
  expect(texts).toEqual(['Hello wor', 'ld', '!', '']);
});

test('a stop string across token borders, its beginning held back', async () => {
  const { texts, step, taken } = await feed(streamOf(pieces, ['<end>']), [[hello, open], [nd], [close, x]]);
  expect(texts).toEqual(['Hello', '', '']);
  expect([step, taken]).toEqual([2, 1]);
});

test('what was held back comes when it turns out to be no stop string', async () => {
  const { texts, step } = await feed(streamOf(pieces, ['<end>']), [[hello, open], [nd], [bang], [open]]);
  expect(texts).toEqual(['Hello', '', '<end!', '', '<e']);
  expect(step).toBeUndefined();
});

test('the same token ends the text whatever the steps are', async () => {
  const tokens = [hello, wor, ld, open, nd, close, x, hello];
  for (const length of [1, 2, 3, 5, 8]) {
    const steps = Array.from({ length: Math.ceil(8 / length) }, (_, i) =>
      tokens.slice(i * length, (i + 1) * length),
    );
    const { texts, step, taken } = await feed(streamOf(pieces, ['d>', 'xH']), steps);
    expect(texts.join('')).toBe('Hello world<en');
    expect(step! * length + taken!).toBe(6);
  }
});

test('of several stop strings in one token the first in the text counts', async () => {
  const { texts } = await feed(streamOf(['one two three'], ['three', 'two', 'wo t']), [[256]]);
  expect(texts).toEqual(['one ']);
});

test('a stop string that overlaps itself', async () => {
  const { texts, step } = await feed(streamOf(['a', 'b'], ['aab']), [[256], [256], [256], [257]]);
  expect(texts.join('')).toBe('a');
  expect(step).toBe(3);
});

test('a byte token completes a stop string at once', async () => {
  const newline = 10;
  const { texts, step, taken } = await feed(streamOf(pieces, ['\n']), [[hello], [newline], [x]]);
  expect(texts.join('')).toBe('Hello');
  expect([step, taken]).toEqual([1, 1]);
});

test('bytes of one code point are never split, with and without stop strings', async () => {
  const bytes = [...Buffer.from('é日🎉')];
  for (const stop of [[], ['never']]) {
    const { texts } = await feed(
      streamOf(pieces, stop),
      [...bytes, x].map((token) => [token]),
    );
    expect(texts.join('')).toBe('é日🎉x');
    expect(texts.every((text) => !text.includes('\ufffd'))).toBe(true);
  }
});

test('a stop string at the very end of the bytes', async () => {
  const { texts, step } = await feed(streamOf(pieces, ['é']), [[x], [0xc3], [0xa9]]);
  expect(texts.join('')).toBe('x');
  expect(step).toBe(2);
});

test('a model without a tokenizer has no text', async () => {
  const stream = new TextStream(undefined, []);
  expect(await stream.push(Int32Array.of(1, 2))).toEqual({ text: '', taken: 2, stopped: false });
  expect(await stream.finish()).toEqual({ text: '', stopped: false });
});
