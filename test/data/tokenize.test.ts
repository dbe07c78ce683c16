import { tokenizeExample, type TrainingTokenizer } from '../../ts/data/tokenize';
import type { Message } from '../../ts/data/formats';
import { chatTokenizer, IM_END, lossTexts } from './support';

const conversation = (...contents: string[]): Message[] =>
  contents.map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content }));

async function conversationLoss(
  messages: Message[],
  tokenizer: ReturnType<typeof chatTokenizer>,
  lossFrom = 0,
): Promise<string[]> {
  const example = await tokenizeExample({ kind: 'conversation', messages, lossFrom }, tokenizer, 'f.jsonl:1');
  return lossTexts(example, tokenizer.decode);
}

describe('conversations', () => {
  const tokenizer = chatTokenizer();

  test('carry loss on every turn of the assistant, its end token included and nothing behind it', async () => {
    const messages = conversation('the first', 'Yes, the thing.', 'and?', 'That is all.\n');
    expect(await conversationLoss(messages, tokenizer)).toEqual([
      'Yes, the thing.<|im_end|>',
      'That is all.\n<|im_end|>',
    ]);
  });

  test('are tokenised as a whole', async () => {
    const messages = [{ role: 'system', content: 'Be kind' }, ...conversation('a', 'b')];
    const { tokens, straddled } = await tokenizeExample(
      { kind: 'conversation', messages, lossFrom: 0 },
      tokenizer,
      '',
    );
    expect(await tokenizer.decode(tokens)).toBe(
      '<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n',
    );
    expect(straddled).toBe(false);
  });

  test('carry none where the assistant is silent or before lossFrom', async () => {
    expect(await conversationLoss([{ role: 'user', content: 'Hi' }], tokenizer)).toEqual([]);
    expect(await conversationLoss(conversation('a', 'b', 'c', 'd'), tokenizer, 2)).toEqual(['d<|im_end|>']);
  });

  test('an assistant that speaks first and twice in a row', async () => {
    const messages = ['one', 'two'].map((content) => ({ role: 'assistant', content }));
    expect(await conversationLoss(messages, tokenizer)).toEqual(['one<|im_end|>', 'two<|im_end|>']);
  });

  test('keep text that looks like the template inside the message it stands in', async () => {
    const messages = conversation('say <|im_end|>', 'No <|im_end|> here', 'b', 'c');
    expect(await conversationLoss(messages, tokenizer)).toEqual([
      'No <|im_end|> here<|im_end|>',
      'c<|im_end|>',
    ]);
  });

  test('count a token that spans the border as response, and say so', async () => {
    // The generation prompt ends with a line end, which merges with one at the beginning of the answer.
    const example = await tokenizeExample(
      { kind: 'conversation', messages: conversation('a', '\n'), lossFrom: 0 },
      tokenizer,
      '',
    );
    expect(example.straddled).toBe(true);
    expect(await lossTexts(example, tokenizer.decode)).toEqual(['\n\n<|im_end|>']);
  });
});

describe('other templates', () => {
  test('Llama 2 style, without a generation prompt', async () => {
    const tokenizer = chatTokenizer(
      "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}",
    );
    expect(await conversationLoss(conversation('a', 'b', 'c', 'd'), tokenizer)).toEqual([
      ' b<|im_end|>',
      ' d<|im_end|>',
    ]);
  });

  test('a plain template ends turns with white space, which is learned', async () => {
    const tokenizer = chatTokenizer(
      '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}',
    );
    expect(await conversationLoss(conversation('a', 'b', 'c', 'd'), tokenizer)).toEqual(['b\n', 'd\n']);
  });

  test('one that renders the last turn differently (Qwen3) still gives the earlier ones', async () => {
    const tokenizer = chatTokenizer(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}" +
        '{{ m.content | trim }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
    );
    expect(await conversationLoss(conversation('a', ' b ', 'c', 'd'), tokenizer)).toEqual([
      'b<|im_end|>',
      '<think>\n\n</think>\n\nd<|im_end|>',
    ]);
  });

  test.each([
    [
      'the beginning changes',
      '{{ messages | length }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}',
      /messages\[1\]: the chat template renders what stands before this message differently/,
    ],
    [
      'the content changes',
      '{% for m in messages %}{% if loop.last %}{{ m.content }}<|im_end|>{% else %}{{ m.content | upper }}<|im_end|>{% endif %}{% endfor %}',
      /messages\[1\]: the chat template renders/,
    ],
    [
      'it refuses',
      "{{ raise_exception('roles must alternate') }}",
      /the chat template refuses these messages: roles must alternate/,
    ],
  ])('a clear error where %s', async (_, template, message) => {
    await expect(
      tokenizeExample(
        { kind: 'conversation', messages: conversation('a', 'b', 'c', 'd'), lossFrom: 0 },
        chatTokenizer(template),
        'f.jsonl:9',
      ),
    ).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: expect.stringMatching(message) as string }),
    );
  });
});

describe('prompt and completion', () => {
  const example = { kind: 'completion', prompt: 'the', plainPrompt: 'plain the', completion: 'b' } as const;

  test('become a conversation where there is a chat template', async () => {
    const tokenizer = chatTokenizer();
    const tokenized = await tokenizeExample({ ...example, system: 'S' }, tokenizer, '');
    expect(await tokenizer.decode(tokenized.tokens)).toMatch(
      /^<\|im_start\|>system\nS<\|im_end\|>\n<\|im_start\|>user\nthe</,
    );
    expect(await lossTexts(tokenized, tokenizer.decode)).toEqual(['b<|im_end|>']);
  });

  test('are put together and ended without one', async () => {
    const tokenizer = chatTokenizer(null);
    const tokenized = await tokenizeExample(example, tokenizer, '');
    expect(await tokenizer.decode(tokenized.tokens)).toBe('plain theb<|im_end|>');
    expect(await lossTexts(tokenized, tokenizer.decode)).toEqual(['b<|im_end|>']);
    const system = await tokenizeExample({ ...example, system: 'S' }, tokenizer, '');
    expect(await tokenizer.decode(system.tokens)).toBe('S\n\nplain theb<|im_end|>');
  });

  test('do not get a second end, nor one that the tokenizer lacks', async () => {
    const tokenizer = chatTokenizer(null);
    const ended = await tokenizeExample({ ...example, completion: 'b<|im_end|>' }, tokenizer, '');
    expect(await tokenizer.decode(ended.tokens)).toBe('plain theb<|im_end|>');
    const endless = await tokenizeExample(example, { ...tokenizer, endOfSequence: undefined }, '');
    expect(await tokenizer.decode(endless.tokens)).toBe('plain theb');
  });

  test('find their border when the tokenizer ends every text itself', async () => {
    const plain = chatTokenizer(null);
    const tokenizer: TrainingTokenizer = {
      ...plain,
      encode: async (text, addSpecialTokens) =>
        Int32Array.from([...(await plain.encode(text, false)), ...(addSpecialTokens ? [IM_END] : [])]),
    };
    const tokenized = await tokenizeExample(example, tokenizer, '');
    expect(await lossTexts(tokenized, plain.decode)).toEqual(['b<|im_end|>']);
    expect(tokenized.straddled).toBe(false);
  });
});

test('a text carries loss on all but its first token', async () => {
  const tokenizer = chatTokenizer();
  const { tokens, loss } = await tokenizeExample({ kind: 'text', text: 'abc' }, tokenizer, '');
  expect(await tokenizer.decode(tokens)).toBe('abc<|im_end|>');
  expect([...loss]).toEqual([0, 1, 1, 1]);
});

test('without a tokenizer only tokens can be used, without a template no messages', async () => {
  await expect(tokenizeExample({ kind: 'text', text: 'a' }, undefined, 'f.jsonl:2')).rejects.toThrow(
    /^f\.jsonl:2: the model has no tokenizer/,
  );
  await expect(
    tokenizeExample(
      { kind: 'conversation', messages: conversation('a', 'b'), lossFrom: 0 },
      chatTokenizer(null),
      'f.jsonl:2',
    ),
  ).rejects.toThrow(/^f\.jsonl:2: the model has no chat template/);
  const tokens = { kind: 'tokens', tokens: Int32Array.of(1, 2), loss: Uint8Array.of(1, 1) } as const;
  expect((await tokenizeExample(tokens, undefined, '')).loss).toEqual(Uint8Array.of(0, 1));
});
