/**
 * The quickstart's tokenizer: one token a character, in the files that Hugging Face's libraries read. The id of a
 * character is its ASCII code; control codes that no text here uses stand for the special tokens.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const VOCABULARY_SIZE = 128;

/** Special tokens by id; `<unk>` stands for every character outside of ASCII. */
const SPECIAL_TOKENS: Readonly<Record<number, string>> = {
  0: '<unk>',
  1: '<|user|>',
  2: '<|assistant|>',
  3: '<|end|>',
};

export const END_TOKEN = 3;

const CHAT_TEMPLATE = [
  '{% for message in messages %}',
  "{% if message['role'] not in ['user', 'assistant'] %}",
  "{{ raise_exception('this model knows the roles user and assistant only') }}",
  '{% endif %}',
  "{{ '<|' + message['role'] + '|>' + message['content'] }}",
  "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}",
  '{% endfor %}',
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
].join('');

/** tokenizer.json: byte-pair encoding without a single merge, so every character stays alone. */
export function tokenizerJson(): object {
  const tokens = Array.from(
    { length: VOCABULARY_SIZE },
    (_, id) => SPECIAL_TOKENS[id] ?? String.fromCharCode(id),
  );
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: Object.entries(SPECIAL_TOKENS).map(([id, content]) => ({
      id: Number(id),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: SPECIAL_TOKENS[0],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
    },
  };
}

/** tokenizer_config.json; `contextLength` in tokens. */
export function tokenizerConfig(contextLength: number): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    unk_token: SPECIAL_TOKENS[0],
    eos_token: SPECIAL_TOKENS[END_TOKEN],
    clean_up_tokenization_spaces: false,
    model_max_length: contextLength,
    chat_template: CHAT_TEMPLATE,
  };
}

/** Writes both files into `folder`, which is made where it does not exist. */
export function writeTokenizer(folder: string, contextLength: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson()));
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify(tokenizerConfig(contextLength), null, 2),
  );
}
