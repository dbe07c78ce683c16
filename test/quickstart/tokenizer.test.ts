import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { END_TOKEN, VOCABULARY_SIZE, writeTokenizer } from '../../ts/quickstart/tokenizer';

const folder = mkdtempSync(join(tmpdir(), 'msn-tokenizer-'));
writeTokenizer(folder, 256);
const tokenizer = Tokenizer.fromFile(join(folder, 'tokenizer.json'));
const config = JSON.parse(readFileSync(join(folder, 'tokenizer_config.json'), 'utf8')) as {
  chat_template: string;
  eos_token: string;
};
afterAll(() => rmSync(folder, { recursive: true }));

test('a character is the token of its ASCII code, and the text comes back', async () => {
  const text = 'def area(w, h):\n    return w * h  # "~"';
  const { ids } = await encode(text);
  expect(ids).toEqual([...text].map((character) => character.charCodeAt(0)));
  expect(await tokenizer.decode(ids, true)).toBe(text);
  expect(tokenizer.getVocabSize(true)).toBe(VOCABULARY_SIZE);
});

test('special tokens are one token each and disappear from decoded text', async () => {
  const { ids } = await encode(`<|user|>hi<|assistant|>yo${config.eos_token}`);
  expect(ids).toEqual([1, 104, 105, 2, 121, 111, END_TOKEN]);
  expect(await tokenizer.decode(ids, true)).toBe('hiyo');
});

test('what is not ASCII becomes the unknown token', async () => {
  expect((await encode('a\u00e9b')).ids).toEqual([97, 0, 98]);
});

test('the chat template writes turns and refuses other roles', async () => {
  const { Template } = await import('@huggingface/jinja');
  const template = new Template(config.chat_template);
  const render = (messages: unknown, prompt: boolean): string =>
    template.render({ messages, add_generation_prompt: prompt });
  const question = { role: 'user', content: 'Sort 2 1' };
  expect(render([question], true)).toBe('<|user|>Sort 2 1<|assistant|>');
  expect(render([question, { role: 'assistant', content: '1 2' }], false)).toBe(
    '<|user|>Sort 2 1<|assistant|>1 2<|end|>',
  );
  expect(() => render([{ role: 'system', content: 'x' }], true)).toThrow(/user and assistant/);
});

async function encode(text: string): Promise<{ ids: number[] }> {
  const encoding = await tokenizer.encode(text, null, { addSpecialTokens: false });
  return { ids: encoding.getIds() };
}
