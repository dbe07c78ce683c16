/** What a text begins with: text, token ids or a conversation. */
import { MakeSomeNoiseError } from '../errors';
import type { ChatMessage } from '../model/chat-template';
import type { Model } from '../model/model';

/** Exactly one of the three. */
export interface Prompt {
  /** Text, encoded with what the tokenizer puts around a text. */
  prompt?: string | undefined;
  /** Token ids, used as they are; plain arrays are taken, too. */
  tokens?: ArrayLike<number> | undefined;
  /** A conversation, written out by the model's chat template. */
  messages?: readonly ChatMessage[] | undefined;
}

/** @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT unless exactly one of the named options is given */
export function checkExactlyOne(given: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const present = names.filter((name) => given[name] !== undefined);
  if (present.length === 1) return;
  const list = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  const received = present.length === 0 ? 'none' : present.join(' and ');
  throw new MakeSomeNoiseError(
    'ERR_INVALID_ARGUMENT',
    `options: expected exactly one of ${list}, received ${received}`,
  );
}

/** @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT for nothing, ERR_UNSUPPORTED for text without a tokenizer */
export async function promptTokens(
  model: Model,
  { prompt, tokens, messages }: Omit<Prompt, 'tokens'> & { tokens?: Int32Array | undefined },
): Promise<Int32Array> {
  const name = tokens !== undefined ? 'tokens' : messages !== undefined ? 'messages' : 'prompt';
  const ids =
    tokens ??
    (messages !== undefined
      ? await model.tokenizer.encode(model.tokenizer.applyChatTemplate(messages), { addSpecialTokens: false })
      : await model.tokenizer.encode(prompt ?? ''));
  if (ids.length > 0) return ids;
  throw new MakeSomeNoiseError('ERR_INVALID_ARGUMENT', `${name}: expected at least one token, received none`);
}
