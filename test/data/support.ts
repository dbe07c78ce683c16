/** The small chat tokenizer of the fixtures, as training sees it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import type { TrainingTokenizer } from '../../ts/data/tokenize';

// Its types are those of an ECMAScript module, its code is there for both.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { Template } = require('@huggingface/jinja') as {
  Template: new (source: string) => { render(variables: object): string };
};

export const chatTokenizerFolder = join(__dirname, 'fixtures', 'chat-tokenizer');
/** Ids in `chatTokenizerFolder`: special tokens 0..2, then the bytes, then twelve merges. */
export const CHAT_VOCABULARY = 271;
export const IM_END = 2;

interface TokenizerConfig {
  chat_template: string;
  eos_token: string;
}

/** Without a template a plain tokenizer with `<|im_end|>` as its end. */
export function chatTokenizer(
  template?: string | null,
): TrainingTokenizer & { decode(tokens: Int32Array): Promise<string> } {
  const tokenizer = Tokenizer.fromFile(join(chatTokenizerFolder, 'tokenizer.json'));
  const config = JSON.parse(
    readFileSync(join(chatTokenizerFolder, 'tokenizer_config.json'), 'utf8'),
  ) as TokenizerConfig;
  const chat = template === null ? undefined : new Template(template ?? config.chat_template);
  return {
    encode: async (text, addSpecialTokens) =>
      Int32Array.from((await tokenizer.encode(text, null, { addSpecialTokens })).getIds()),
    decode: (tokens) => tokenizer.decode([...tokens], false),
    renderChat:
      chat &&
      ((messages, addGenerationPrompt) =>
        chat.render({ messages, add_generation_prompt: addGenerationPrompt })),
    endOfSequence: IM_END,
    specialTexts: ['<|endoftext|>', '<|im_start|>', '<|im_end|>'],
  };
}

/** What the loss is on, as text: each run of loss tokens decoded. */
export async function lossTexts(
  { tokens, loss }: { tokens: Int32Array; loss: Uint8Array },
  decode: (tokens: Int32Array) => Promise<string>,
): Promise<string[]> {
  const texts: string[] = [];
  for (let begin = 0; begin < tokens.length; begin++) {
    if (loss[begin] === 0) continue;
    let end = begin;
    while (loss[end] === 1) end++;
    texts.push(await decode(tokens.slice(begin, end)));
    begin = end;
  }
  return texts;
}
