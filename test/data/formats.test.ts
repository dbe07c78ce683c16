import { rowReader, type DataFormat, type Example } from '../../ts/data/formats';

const row = (columns: Record<string, unknown>) => ({ place: 'train.jsonl:3', columns });
const read = (columns: Record<string, unknown>, format: DataFormat = 'auto'): Example =>
  rowReader(format, row(columns))(row(columns));

const user = { role: 'user', content: 'Hi' };
const assistant = { role: 'assistant', content: 'Hello.' };

describe('auto', () => {
  test.each<[string, Record<string, unknown>, Partial<Example>]>([
    [
      'prompt-completion',
      { prompt: 'a', completion: 'b', id: 1 },
      { kind: 'completion', prompt: 'a', completion: 'b' },
    ],
    [
      'messages',
      { messages: [user, assistant] },
      { kind: 'conversation', messages: [user, assistant], lossFrom: 0 },
    ],
    ['text', { text: 'abc' }, { kind: 'text', text: 'abc' }],
    [
      'alpaca',
      { instruction: 'Add', input: '1 2', output: '3' },
      { kind: 'completion', prompt: 'Add\n\n1 2', completion: '3' },
    ],
  ])('knows %s by its columns', (_, columns, example) => {
    expect(read(columns)).toMatchObject(example);
  });

  test('knows ShareGPT in both spellings', () => {
    const expected = { kind: 'conversation', messages: [user, assistant], lossFrom: 0 };
    expect(
      read({
        conversations: [
          { from: 'human', value: 'Hi' },
          { from: 'gpt', value: 'Hello.' },
        ],
      }),
    ).toEqual(expected);
    expect(read({ conversations: [user, assistant] })).toEqual(expected);
  });

  test('knows tokens', () => {
    expect(read({ input_ids: [5, 6, 7], labels: [-100, -100, 7] })).toEqual({
      kind: 'tokens',
      tokens: Int32Array.of(5, 6, 7),
      loss: Uint8Array.of(0, 0, 1),
    });
    expect(read({ input_ids: [5n, 6n] })).toMatchObject({ loss: Uint8Array.of(1, 1) });
  });

  test('says what it found when it knows none', () => {
    expect(() => read({ question: 'a', answer: 'b' })).toThrow(
      /^train\.jsonl:3: format 'auto' knows no format with these columns: question, answer\. Name two of them/,
    );
  });
});

test('named columns', () => {
  expect(read({ question: 'a', answer: 'b' }, { prompt: 'question', completion: 'answer' })).toEqual({
    kind: 'completion',
    prompt: 'a',
    plainPrompt: 'a',
    completion: 'b',
  });
});

test('a prompt and completion of messages carries loss on the completion only', () => {
  expect(read({ prompt: [user, assistant, user], completion: [assistant] })).toEqual({
    kind: 'conversation',
    messages: [user, assistant, user, assistant],
    lossFrom: 3,
  });
});

test('alpaca writes the prompt of Stanford Alpaca for models without a chat template', () => {
  const withInput = read({ instruction: 'Add', input: '1 2', output: '3' });
  expect(withInput).toMatchObject({
    plainPrompt: expect.stringMatching(
      /### Instruction:\nAdd\n\n### Input:\n1 2\n\n### Response:\n$/,
    ) as string,
  });
  const without = read({ instruction: 'Sing', input: '', output: 'La', system: 'Be loud' });
  expect(without).toMatchObject({
    system: 'Be loud',
    prompt: 'Sing',
    plainPrompt: expect.stringMatching(
      /completes the request\.\n\n### Instruction:\nSing\n\n### Response:\n$/,
    ) as string,
  });
});

test('sharegpt puts the system column in front', () => {
  expect(read({ system: 'Be kind', conversations: [{ from: 'human', value: 'Hi' }] })).toMatchObject({
    messages: [{ role: 'system', content: 'Be kind' }, user],
  });
});

describe('a wrong row is an error that names file, line and column', () => {
  const prompts: DataFormat = 'prompt-completion';
  test.each<[Record<string, unknown>, DataFormat, string]>([
    [{ prompt: 'a', answer: 'b' }, prompts, 'completion: the column is missing; there are: prompt, answer'],
    [{}, 'text', 'text: the column is missing; there are: none'],
    [{ text: null }, 'text', 'text: the column is null'],
    [{ prompt: 'a', completion: 7 }, prompts, 'completion: expected a text, received 7'],
    [{ prompt: [user], completion: 'b' }, prompts, 'completion: expected a list of messages, received "b"'],
    [{ q: 'a' }, { prompt: 'q', completion: 'a' }, 'a: the column is missing; there are: q'],
    [{ messages: 'Hi' }, 'messages', 'messages: expected a list of messages, received "Hi"'],
    [{ messages: [] }, 'messages', 'messages: expected a list of messages, received an empty list'],
    [{ messages: [user, 'x'] }, 'messages', 'messages[1]: expected { role, content }, received "x"'],
    [{ messages: [{ content: 'x' }] }, 'messages', 'messages[0].role: expected a text, received undefined'],
    [
      { messages: [{ role: 'user', content: null }] },
      'messages',
      'messages[0].content: expected a text, received null',
    ],
    [{ messages: [user], tools: [{}] }, 'messages', 'tools: tool definitions are not supported'],
    [
      { messages: [{ ...assistant, tool_calls: [] }] },
      'messages',
      'messages[0].tool_calls: tool calls are not supported',
    ],
    [
      { conversations: [{ from: 'bing', value: 'x' }] },
      'sharegpt',
      'conversations[0].from: expected one of system, human, user, gpt, chatgpt, assistant, tool, observation, received "bing"',
    ],
    [{ instruction: 'a', output: 'b', input: 3 }, 'alpaca', 'input: expected a text, received 3'],
    [{ input_ids: '1 2' }, 'tokens', 'input_ids: expected a list of integers, received "1 2"'],
    [{ input_ids: [1, 2.5] }, 'tokens', 'input_ids[1]: expected an integer, received 2.5'],
    [{ input_ids: [1, 2 ** 40] }, 'tokens', 'input_ids[1]: expected an integer, received 1099511627776'],
    [
      { input_ids: [1, 2], labels: [1] },
      'tokens',
      'labels: expected 2 labels, as many as input_ids, received 1',
    ],
    [
      { input_ids: [1, 2], labels: [2, -100] },
      'tokens',
      'labels[0]: expected input_ids[0], which is 1, or -100, received 2 (labels are not shifted)',
    ],
  ])('%j', (columns, format, message) => {
    expect(() => read(columns, format)).toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: `train.jsonl:3: ${message}` }),
    );
  });
});
