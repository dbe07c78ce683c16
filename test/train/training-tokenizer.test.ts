/** Masks with real tokenizers: a small one of our own, that of stories260K and that of SmolLM2. */
import { join } from 'node:path';
import type { Example } from '../../ts/data/formats';
import { tokenizeExample } from '../../ts/data/tokenize';
import { loadTokenizer } from '../../ts/model/tokenizer';
import { trainingTokenizer } from '../../ts/train/training-tokenizer';
import { chatTokenizerFolder } from '../data/support';
import { describeShared, sharedFolder } from '../support/testing';

/** The tokens without loss and those with it, as text, special tokens included. */
async function parts(folder: string, example: Example): Promise<string[]> {
  const tokenizer = (await loadTokenizer(folder))!;
  const { tokens, loss } = await tokenizeExample(example, trainingTokenizer(tokenizer, []), 'row');
  const texts: string[] = [];
  for (let begin = 0, end = 0; begin < tokens.length; begin = end) {
    while (end < tokens.length && loss[end] === loss[begin]) end++;
    texts.push(await tokenizer.decode(tokens.slice(begin, end), { skipSpecialTokens: false }));
  }
  return texts;
}

const completion = (prompt: string, answer: string): Example => ({
  kind: 'completion',
  prompt,
  plainPrompt: prompt,
  completion: answer,
});
const conversation: Example = {
  kind: 'conversation',
  lossFrom: 0,
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: 'Yes, one.' },
    { role: 'user', content: 'Two?' },
    { role: 'assistant', content: 'No.' },
  ],
};
const chatML = [
  '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n',
  'Yes, one.<|im_end|>',
  '\n<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n',
  'No.<|im_end|>',
  '\n',
];

test('our own chat tokenizer', async () => {
  expect(await parts(chatTokenizerFolder, conversation)).toEqual(chatML);
  expect(await parts(chatTokenizerFolder, completion('the', 'thing'))).toEqual([
    '<|im_start|>user\nthe<|im_end|>\n<|im_start|>assistant\n',
    'thing<|im_end|>',
    '\n',
  ]);
});

test('an assistant that speaks first', async () => {
  const messages = [{ role: 'assistant', content: 'Welcome.' }];
  expect(await parts(chatTokenizerFolder, { kind: 'conversation', lossFrom: 0, messages })).toEqual([
    '<|im_start|>assistant\n',
    'Welcome.<|im_end|>',
    '\n',
  ]);
});

test('a tokenizer that names no end takes that of the model', async () => {
  const tokenizer = (await loadTokenizer(chatTokenizerFolder))!;
  expect(trainingTokenizer(tokenizer, [0]).endOfSequence).toBe(2);
  Object.defineProperty(tokenizer, 'eosToken', { value: undefined });
  expect(trainingTokenizer(tokenizer, [7, 8]).endOfSequence).toBe(7);
  expect(trainingTokenizer(tokenizer, []).endOfSequence).toBeUndefined();
});

describeShared('stories260K, which has no chat template', () => {
  const folder = join(sharedFolder, 'models', 'stories260K');

  test('prompt, completion and end', async () => {
    expect(await parts(folder, completion('Once upon a time', ', there was a dog.'))).toEqual([
      '<s> Once upon a time',
      ', there was a dog.</s>',
    ]);
    // Leading and repeated spaces are the normaliser's; none is added at the border.
    expect((await parts(folder, completion('Once upon ', 'a time')))[1]).toBe('a time</s>');
  });

  test('text', async () => {
    expect(await parts(folder, { kind: 'text', text: 'Once upon a time' })).toEqual([
      '<s>',
      'Once upon a time</s>',
    ]);
  });

  test('messages are refused', async () => {
    await expect(parts(folder, conversation)).rejects.toThrow('row: the model has no chat template');
  });
});

const smollm2 = process.env.MSN_SMOLLM2;
(smollm2 === undefined ? describe.skip : describe)('SmolLM2 (MSN_SMOLLM2 names its folder)', () => {
  test('conversations, and the system message of its template', async () => {
    expect(await parts(smollm2!, conversation)).toEqual(chatML);
    const [prompt, answer] = await parts(smollm2!, completion('Add 1 and 2.', '3'));
    expect(prompt).toMatch(
      /^<\|im_start\|>system\n.+<\|im_start\|>user\nAdd 1 and 2\.<\|im_end\|>\n<\|im_start\|>assistant\n$/s,
    );
    expect(answer).toBe('3<|im_end|>');
  });
});
