import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { loadTokenizer, type Tokenizer } from '../../../ts/model/tokenizer';
import { errorOf, temporaryFolder } from '../../support/folders';
import { describeShared, sharedFolder } from '../../support/testing';

const folder = temporaryFolder();
let folders = 0;

/** A word-level tokenizer of five words and a beginning of text, with whatever the test adds to its config. */
function tinyFolder(config: object = {}, files: Record<string, string> = {}): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  const added = (id: number, content: string) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const tokenizer = {
    version: '1.0',
    truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 0 },
    padding: null,
    added_tokens: [added(0, '<unk>'), added(1, '<s>')],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: { '<unk>': 0, '<s>': 1, a: 2, b: 3, c: 4 }, unk_token: '<unk>' },
  };
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(tokenizer));
  writeFileSync(
    join(path, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: { content: '</s>' }, ...config }),
  );
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}
const tiny = async (config?: object, files?: Record<string, string>) =>
  (await loadTokenizer(tinyFolder(config, files)))!;

test('a folder without tokenizer.json has no tokenizer', async () => {
  expect(await loadTokenizer(folder)).toBeUndefined();
});

test('texts are encoded whole, whatever tokenizer.json says of truncation', async () => {
  const tokenizer = await tiny();
  expect(await tokenizer.encode('a b c a')).toEqual(Int32Array.of(2, 3, 4, 2));
  expect(await tokenizer.decode([2, 1, 3])).toBe('a b');
  expect(await tokenizer.decode([2, 1, 3], { skipSpecialTokens: false })).toBe('a <s> b');
  expect(await tokenizer.decode([2, 99])).toBe('a');
  expect(tokenizer).toMatchObject({
    bosToken: 1,
    eosToken: undefined,
    vocabularySize: 5,
    hasChatTemplate: false,
  });
  expect(tokenizer.specialTokens).toEqual([
    { id: 0, text: '<unk>' },
    { id: 1, text: '<s>' },
  ]);
});

describe('chat templates', () => {
  const template = "{% for m in messages %}[{{ m.role }}] {{ m['content'] }}\n{% endfor %}";
  const generation = '{% if add_generation_prompt %}[assistant]{% endif %}';
  const user = [{ role: 'user', content: 'hi' }];

  test('as a string, in a list, in a file of its own', async () => {
    const other = { name: 'tool_use', template: 'no' };
    const list = [other, { name: 'default', template: template + generation }];
    for (const config of [{ chat_template: template + generation }, { chat_template: list }]) {
      const tokenizer = await tiny(config);
      expect(tokenizer.hasChatTemplate).toBe(true);
      expect(tokenizer.applyChatTemplate(user)).toBe('[user] hi\n[assistant]');
      expect(tokenizer.applyChatTemplate(user, { addGenerationPrompt: false })).toBe('[user] hi\n');
    }
    const file = { 'chat_template.jinja': '{{ bos_token }}{{ messages|length }}' };
    expect((await tiny({ chat_template: 'no' }, file)).applyChatTemplate(user)).toBe('<s>1');
    const json = { 'chat_template.json': JSON.stringify({ chat_template: 'from json' }) };
    expect((await tiny({}, json)).applyChatTemplate(user)).toBe('from json');
  });

  test('what templates expect to find', async () => {
    const tokenizer = await tiny({
      chat_template:
        '{% if tools is not none %}tools{% endif %}{% if not documents %}none{% endif %}{{ strftime_now("%Y")|length }}',
    });
    expect(tokenizer.applyChatTemplate(user)).toBe('none4');
  });

  test('a template that refuses says why', async () => {
    const tokenizer = await tiny({ chat_template: '{{ raise_exception("roles must alternate") }}' });
    const error = await errorOf(() => tokenizer.applyChatTemplate(user));
    expect(error.code).toBe('ERR_INVALID_ARGUMENT');
    expect(error.message).toMatch(
      /^messages: the chat template of .*tokenizer_config\.json refuses them: roles must/,
    );
  });

  test('a broken one, a list without default, none at all', async () => {
    expect(await errorOf(() => tiny({ chat_template: '{% if %}' }))).toMatchObject({
      code: 'ERR_MODEL_FORMAT',
    });
    expect((await errorOf(() => tiny({ chat_template: [] }))).message).toContain(
      'a template named "default"',
    );
    const tokenizer = await tiny();
    expect(await errorOf(() => tokenizer.applyChatTemplate(user))).toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });

  test('bad messages', async () => {
    const tokenizer = await tiny({ chat_template: template });
    const messageFor = async (messages: unknown) =>
      (await errorOf(() => tokenizer.applyChatTemplate(messages as never))).message;
    expect(await messageFor([])).toBe('messages: expected at least one message, received an array of 0');
    expect(await messageFor([{ role: 'user' }])).toBe(
      'messages[0].content: expected a string, received undefined',
    );
    expect(await messageFor('hi')).toBe('messages: expected an array, received "hi"');
  });
});

test('bad input', async () => {
  const tokenizer = await tiny();
  expect((await errorOf(() => tokenizer.encode(5 as never))).message).toBe(
    'text: expected a string, received 5',
  );
  expect((await errorOf(() => tokenizer.decode([-1]))).message).toContain('tokens[0]: expected a token id');
  expect((await errorOf(() => tokenizer.encode('a', { special: true } as never))).message).toContain(
    'unknown option "special"',
  );
  for (const content of ['{', '[]', '{"model": 5}']) {
    const error = await errorOf(() => tiny({}, { 'tokenizer.json': content }));
    expect(error.code).toBe('ERR_MODEL_FORMAT');
    expect(error.message).toMatch(/tokenizer\.json: not a tokenizer\.json/);
  }
});

test('a tokenizer works in a worker thread beside that of the main thread', async () => {
  await (await tiny()).encode('a');
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Tokenizer } = require('tokenizers');
    Tokenizer.fromFile(workerData).encode('a b c').then((encoding) => parentPort.postMessage(encoding.getIds()));`;
  const worker = new Worker(script, { eval: true, workerData: join(tinyFolder(), 'tokenizer.json') });
  expect(await new Promise((resolve) => worker.once('message', resolve))).toEqual([2, 3]);
  await worker.terminate();
});

/** The text in pieces, each push checked: nothing is ever taken back, and stable + unstable is the whole. */
async function streamed(tokenizer: Tokenizer, tokens: Int32Array, chunk: number): Promise<string> {
  const decoder = tokenizer.incrementalDecoder();
  let text = '';
  for (let begin = 0; begin < tokens.length; begin += chunk) {
    const end = Math.min(begin + chunk, tokens.length);
    const piece = await decoder.push(tokens.slice(begin, end));
    expect(piece).not.toMatch(/\ufffd$/);
    text += piece;
    expect(text + decoder.unstableText).toBe(await tokenizer.decode(tokens.slice(0, end)));
  }
  return text + (await decoder.flush());
}

const awkwardTexts = [
  'The cat 🐈‍⬛ sat; naïve café — 日本語テスト. ' + 'é'.repeat(40) + ' 👩‍👩‍👧‍👦!',
  '   spaces   inside \n\n\t and newlines\n',
  'שלום עולם 한국어 ' + '🎉'.repeat(30),
  'a long plain text that goes on and on, '.repeat(20),
];

async function checkStreaming(tokenizer: Tokenizer): Promise<void> {
  for (const text of awkwardTexts) {
    const tokens = await tokenizer.encode(text);
    for (const chunk of [1, 2, 5, 1000]) {
      expect(await streamed(tokenizer, tokens, chunk)).toBe(await tokenizer.decode(tokens));
    }
  }
  // Any ids at all: broken characters, special tokens in the middle, bytes that are not UTF-8.
  let state = 12345;
  const next = (bound: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % bound;
  for (let trial = 0; trial < 40; trial++) {
    const bound = trial % 2 === 0 ? Math.min(tokenizer.vocabularySize, 260) : tokenizer.vocabularySize;
    const tokens = Int32Array.from({ length: 60 }, () => next(bound));
    expect(await streamed(tokenizer, tokens, 1 + (trial % 3))).toBe(await tokenizer.decode(tokens));
  }
}

describeShared('stories260K', () => {
  const model = join(sharedFolder, 'models', 'stories260K');
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = (await loadTokenizer(model))!;
  });

  test('gives the ids and texts of sentencepiece in all 200 cases', async () => {
    const cases = JSON.parse(readFileSync(join(model, 'tokenizer_cases.json'), 'utf8')) as Array<{
      text: string;
      ids: number[];
      decoded: string;
    }>;
    expect(cases).toHaveLength(200);
    for (const { text, ids, decoded } of cases) {
      expect(Array.from(await tokenizer.encode(text, { addSpecialTokens: false }))).toEqual(ids);
      expect(Array.from(await tokenizer.encode(text))).toEqual([1, ...ids]);
      expect(await tokenizer.decode(ids)).toBe(decoded);
    }
  });

  test('streams the text of the whole', () => checkStreaming(tokenizer));

  test('names its special tokens', () => {
    expect(tokenizer).toMatchObject({
      bosToken: 1,
      eosToken: 2,
      vocabularySize: 512,
      hasChatTemplate: false,
    });
  });

  test('needs tokenizer.json alone', async () => {
    const alone = join(folder, 'alone');
    mkdirSync(alone);
    copyFileSync(join(model, 'tokenizer.json'), join(alone, 'tokenizer.json'));
    expect((await loadTokenizer(alone))!.eosToken).toBeUndefined();
  });
});

const smollm2 = process.env.MSN_SMOLLM2 ?? '';
(smollm2 !== '' && existsSync(smollm2) ? describeShared : describe.skip)('SmolLM2 (MSN_SMOLLM2)', () => {
  let tokenizer: Tokenizer;
  beforeAll(async () => {
    tokenizer = (await loadTokenizer(smollm2))!;
  });

  test('chat prompts have the reference ids', async () => {
    const reference = JSON.parse(
      readFileSync(join(sharedFolder, 'reference', 'smollm2-135m', 'reference.json'), 'utf8'),
    ) as {
      prompts: Array<{
        question_id: number;
        prompt_ids: number[];
        greedy_ids: number[];
        greedy_text: string;
      }>;
    };
    const questions = readFileSync(join(sharedFolder, 'data', 'spec-bench-half.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { question_id: number; turns: string[] });
    expect(reference.prompts).toHaveLength(16);
    for (const prompt of reference.prompts) {
      const question = questions.find((candidate) => candidate.question_id === prompt.question_id)!;
      const text = tokenizer.applyChatTemplate([{ role: 'user', content: question.turns[0]! }]);
      const ids = await tokenizer.encode(text, { addSpecialTokens: false });
      expect(Array.from(ids)).toEqual(prompt.prompt_ids);
      const { greedy_ids: greedy, greedy_text: whole } = prompt;
      expect(await tokenizer.decode(greedy, { skipSpecialTokens: false })).toBe(whole);
      const spoken = whole.replace(/<\|im_end\|>$/, '');
      expect(await tokenizer.decode(greedy)).toBe(spoken);
      expect(await streamed(tokenizer, Int32Array.from(greedy), 3)).toBe(spoken);
    }
  });

  test('streams the text of the whole', () => checkStreaming(tokenizer));
});
