/** The model's tokenizer: text to token ids and back, and conversations to text. */
import { basename } from 'node:path';
import { Tokenizer as RustTokenizer } from 'tokenizers';
import { z } from 'zod';
import { MakeSomeNoiseError } from '../errors';
import { boolean, options, text, tokenIds, validate } from '../validate';
import { ChatTemplate, findChatTemplate, type ChatMessage } from './chat-template';
import {
  fileOrNothing,
  isObject,
  readJsonObject,
  readText,
  tokenizerConfigFile,
  tokenizerFile,
} from './folder';
import { IncrementalDecoder } from './incremental-decoder';

const encodeOptions = options({ addSpecialTokens: boolean().default(true) });
const decodeOptions = options({ skipSpecialTokens: boolean().default(true) });
const chatOptions = options({ addGenerationPrompt: boolean().default(true) });
export const chatMessages = () =>
  z.array(z.looseObject({ role: text(), content: text() })).min(1, { error: 'at least one message' });

/** A token with a meaning of its own, such as `<|im_end|>`. */
export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

let construct: (parts: TokenizerParts) => Tokenizer;

interface TokenizerParts {
  rust: RustTokenizer;
  specialTokens: readonly SpecialToken[];
  /** bos_token, eos_token and so on, from tokenizer_config.json. */
  namedTexts: Readonly<Record<string, string>>;
  chatTemplate: ChatTemplate | undefined;
}

/**
 * The tokenizer of a model folder, with the ids and texts of Hugging Face's own implementation. It works on threads of
 * its own, so its methods are asynchronous.
 *
 * @example
 * const tokens = await model.tokenizer.encode('Once upon a time');
 * const text = await model.tokenizer.decode(tokens);
 */
export class Tokenizer {
  /** Tokens with a meaning of their own, which `decode` leaves out. */
  readonly specialTokens: readonly SpecialToken[];
  /** Number of token ids; a model may have room for more. */
  readonly vocabularySize: number;
  /** Id that begins a text, undefined where the tokenizer names none. */
  readonly bosToken: number | undefined;
  /** Id that ends a text, undefined where the tokenizer names none. */
  readonly eosToken: number | undefined;

  private readonly rust: RustTokenizer;
  private readonly chatTemplate: ChatTemplate | undefined;

  static {
    construct = (parts) => new Tokenizer(parts);
  }

  private constructor(parts: TokenizerParts) {
    this.rust = parts.rust;
    this.chatTemplate = parts.chatTemplate;
    this.specialTokens = Object.freeze(parts.specialTokens);
    this.vocabularySize = parts.rust.getVocabSize(true);
    this.bosToken = this.idOf(parts.namedTexts.bos_token);
    this.eosToken = this.idOf(parts.namedTexts.eos_token);
  }

  /** Whether {@link applyChatTemplate} can be used. */
  get hasChatTemplate(): boolean {
    return this.chatTemplate !== undefined;
  }

  /**
   * The token ids of a text.
   *
   * @param encoding `addSpecialTokens` (default true): with what the tokenizer puts around a text, `<s>` for example
   * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT
   * @example
   * const ids = await model.tokenizer.encode('Hello', { addSpecialTokens: false });
   */
  async encode(input: string, encoding: { addSpecialTokens?: boolean } = {}): Promise<Int32Array> {
    validate(text(), input, 'text');
    const encoded = await this.rust.encode(input, null, validate(encodeOptions, encoding));
    return Int32Array.from(encoded.getIds());
  }

  /**
   * The text of token ids. Bytes that are not UTF-8 become U+FFFD; ids that the tokenizer lacks become nothing.
   *
   * @param decoding `skipSpecialTokens` (default true): leave special tokens out
   * @throws MakeSomeNoiseError ERR_INVALID_ARGUMENT
   * @example
   * const text = await model.tokenizer.decode([403, 407, 261]);
   */
  async decode(tokens: ArrayLike<number>, decoding: { skipSpecialTokens?: boolean } = {}): Promise<string> {
    const ids = validate(tokenIds(), tokens, 'tokens');
    const { skipSpecialTokens } = validate(decodeOptions, decoding);
    return this.rust.decode(Array.from(ids), skipSpecialTokens);
  }

  /**
   * The text that the model's chat template makes of a conversation. Encode it with `addSpecialTokens: false`: a
   * template writes the special tokens itself.
   *
   * @param chat `addGenerationPrompt` (default true): end with the opening of the assistant's turn
   * @throws MakeSomeNoiseError ERR_UNSUPPORTED where the model has no chat template, ERR_INVALID_ARGUMENT when the
   *   template refuses the messages
   * @example
   * const prompt = model.tokenizer.applyChatTemplate([{ role: 'user', content: 'Hello' }]);
   */
  applyChatTemplate(messages: readonly ChatMessage[], chat: { addGenerationPrompt?: boolean } = {}): string {
    const { addGenerationPrompt } = validate(chatOptions, chat);
    const turns = validate(chatMessages(), messages, 'messages');
    if (this.chatTemplate === undefined) {
      throw new MakeSomeNoiseError(
        'ERR_UNSUPPORTED',
        'the model has no chat template; use a text prompt, or put a chat_template.jinja into its folder',
      );
    }
    return this.chatTemplate.render(turns, addGenerationPrompt);
  }

  /** @internal Text as tokens come; special tokens are left out. */
  incrementalDecoder(): IncrementalDecoder {
    const leftOut = new Set(this.specialTokens.map(({ id }) => id));
    return new IncrementalDecoder({
      decode: (tokens) => this.rust.decode(tokens, true),
      leavesOpen: (token) =>
        leftOut.has(token) || /^(<0x[0-9A-F]{2}>)?$/.test(this.rust.idToToken(token) ?? ''),
    });
  }

  private idOf(token: string | undefined): number | undefined {
    return token === undefined ? undefined : (this.rust.tokenToId(token) ?? undefined);
  }
}

/**
 * Reads tokenizer.json, tokenizer_config.json and the chat template of a folder; undefined without a tokenizer.json.
 *
 * @throws MakeSomeNoiseError ERR_MODEL_FORMAT naming the file that is broken
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer | undefined> {
  const path = await fileOrNothing(folder, tokenizerFile);
  if (path === undefined) return undefined;
  const configPath = await fileOrNothing(folder, tokenizerConfigFile);
  const config =
    configPath === undefined ? undefined : { path: configPath, json: await readJsonObject(configPath) };
  const namedTexts = readNamedTexts(config?.json ?? {});
  const template = await findChatTemplate(folder, config);
  const { rust, specialTokens } = await readTokenizer(path);
  return construct({
    rust,
    specialTokens,
    namedTexts,
    chatTemplate: template && (await ChatTemplate.compile(template.source, template.origin, namedTexts)),
  });
}

async function readTokenizer(path: string): Promise<Pick<TokenizerParts, 'rust' | 'specialTokens'>> {
  const content = await readText(path);
  try {
    const rust = RustTokenizer.fromString(content);
    // Settings of the training that made the tokenizer; here every text is encoded whole.
    rust.disableTruncation();
    rust.disablePadding();
    return { rust, specialTokens: readSpecialTokens(JSON.parse(content)) };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new MakeSomeNoiseError('ERR_MODEL_FORMAT', `${path}: not a ${basename(path)} (${reason})`, {
      cause,
    });
  }
}

function readSpecialTokens(tokenizer: unknown): SpecialToken[] {
  const added: unknown = isObject(tokenizer) ? tokenizer.added_tokens : undefined;
  if (!Array.isArray(added)) return [];
  return (added as Array<{ id: number; content: string; special: boolean }>)
    .filter((token) => token.special)
    .map((token) => ({ id: token.id, text: token.content }));
}

/** The fields "..._token" of tokenizer_config.json: a text, or an object with the text as `content`. */
function readNamedTexts(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith('_token')) continue;
    const content = isObject(value) ? value.content : value;
    if (typeof content === 'string') texts[name] = content;
  }
  return texts;
}
