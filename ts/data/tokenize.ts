/** From an example to token ids and a loss mask: loss on what the model is to say, its end token included. */
import { conversationSpans } from './chat-spans';
import type { Example, Message } from './formats';
import { dataError } from './read';

/** What training needs of a tokenizer. */
export interface TrainingTokenizer {
  /** Token ids; `addSpecialTokens` puts what the tokenizer's post-processor adds, `<s>` in front for example. */
  encode(text: string, addSpecialTokens: boolean): Promise<Int32Array> | Int32Array;
  /** The model's chat template; undefined where it has none. */
  renderChat?(messages: readonly Message[], addGenerationPrompt: boolean): string;
  /** The id that ends a text; undefined where the tokenizer has none. */
  endOfSequence: number | undefined;
  /** The texts of the special tokens, such as `<|im_end|>`. */
  specialTexts: readonly string[];
}

export interface TokenizedExample {
  tokens: Int32Array;
  loss: Uint8Array;
  /** A token holds the end of the prompt and the beginning of the response; it counts as response. */
  straddled: boolean;
}

/**
 * Tokenises one example. A conversation goes through the chat template and carries loss on the assistant's turns,
 * each from behind its header up to and including its end token. A prompt and completion becomes a conversation
 * where there is a chat template, otherwise prompt + completion + end of sequence. A text gets the end of sequence
 * behind it. The first token of a document never carries loss: nothing stands before it.
 */
export async function tokenizeExample(
  example: Example,
  tokenizer: TrainingTokenizer | undefined,
  place: string,
): Promise<TokenizedExample> {
  if (example.kind === 'tokens') return firstWithoutLoss({ ...example, straddled: false });
  if (tokenizer === undefined) {
    throw dataError(
      place,
      "the model has no tokenizer, so only rows of format 'tokens' ({ input_ids, labels }) can be used",
    );
  }
  if (example.kind === 'text') {
    const tokens = withEnd(await tokenizer.encode(example.text, true), tokenizer.endOfSequence);
    return firstWithoutLoss({ tokens, loss: new Uint8Array(tokens.length).fill(1), straddled: false });
  }
  if (example.kind === 'conversation') {
    return firstWithoutLoss(await tokenizeConversation(example.messages, example.lossFrom, tokenizer, place));
  }
  if (tokenizer.renderChat === undefined) return firstWithoutLoss(await tokenizePlain(example, tokenizer));
  const messages: Message[] = [
    ...(example.system === undefined ? [] : [{ role: 'system', content: example.system }]),
    { role: 'user', content: example.prompt },
    { role: 'assistant', content: example.completion },
  ];
  return firstWithoutLoss(await tokenizeConversation(messages, messages.length - 1, tokenizer, place));
}

async function tokenizePlain(
  { system, plainPrompt, completion }: Extract<Example, { kind: 'completion' }>,
  tokenizer: TrainingTokenizer,
): Promise<TokenizedExample> {
  const prompt = system === undefined ? plainPrompt : `${system}\n\n${plainPrompt}`;
  const [before, whole] = await Promise.all([
    tokenizer.encode(prompt, true),
    tokenizer.encode(prompt + completion, true),
  ]);
  const tokens = withEnd(whole, tokenizer.endOfSequence);
  const begin = commonPrefix(withoutEnd(before, tokenizer.endOfSequence), whole);
  return {
    tokens,
    loss: new Uint8Array(tokens.length).fill(1, begin.length),
    straddled: begin.differs,
  };
}

async function tokenizeConversation(
  messages: readonly Message[],
  lossFrom: number,
  tokenizer: TrainingTokenizer,
  place: string,
): Promise<TokenizedExample> {
  if (tokenizer.renderChat === undefined) {
    throw dataError(
      place,
      'the model has no chat template, which rows of messages need; use a prompt and a completion',
    );
  }
  const { text, spans } = conversationSpans(messages, lossFrom, tokenizer, place);
  const tokens = await tokenizer.encode(text, false);
  const loss = new Uint8Array(tokens.length);
  let straddled = false;
  for (const { begin, end } of spans) {
    const [before, last] = await Promise.all([
      tokenizer.encode(text.slice(0, begin), false),
      tokensUpTo(end, text, tokens, tokenizer),
    ]);
    const first = commonPrefix(before, tokens);
    straddled ||= first.differs;
    loss.fill(1, first.length, last);
  }
  return { tokens, loss, straddled };
}

/** How many of the text's tokens lie wholly before character `end`. */
async function tokensUpTo(
  end: number,
  text: string,
  tokens: Int32Array,
  tokenizer: TrainingTokenizer,
): Promise<number> {
  const tail = text.slice(end);
  if (tail.trim() === '') {
    // At the end of a conversation, white space at most: quicker to encode than everything before it.
    const behind = tail === '' ? new Int32Array() : await tokenizer.encode(tail, false);
    const count = tokens.length - behind.length;
    if (behind.every((token, index) => token === tokens[count + index])) return count;
  }
  return commonPrefix(await tokenizer.encode(text.slice(0, end), false), tokens).length;
}

/** How many tokens of `part` the whole begins with. They differ before its end where a token spans the border. */
function commonPrefix(part: Int32Array, whole: Int32Array): { length: number; differs: boolean } {
  let length = 0;
  while (length < part.length && part[length] === whole[length]) length++;
  return { length, differs: length < part.length };
}

function withEnd(tokens: Int32Array, end: number | undefined): Int32Array {
  if (end === undefined || tokens.at(-1) === end) return tokens;
  const ended = new Int32Array(tokens.length + 1);
  ended.set(tokens);
  ended[tokens.length] = end;
  return ended;
}

/** Undoes a post-processor that puts the end of sequence behind a prompt. */
function withoutEnd(tokens: Int32Array, end: number | undefined): Int32Array {
  return end !== undefined && tokens.at(-1) === end ? tokens.subarray(0, -1) : tokens;
}

function firstWithoutLoss(example: TokenizedExample): TokenizedExample {
  if (example.loss.length > 0) example.loss[0] = 0;
  return example;
}
