/** Where in a rendered conversation the assistant speaks: found by rendering the conversation message by message. */
import type { Message } from './formats';
import { dataError } from './read';
import type { TrainingTokenizer } from './tokenize';

/** Characters [begin, end) of the rendered text. */
export interface Span {
  begin: number;
  end: number;
}

type ChatTokenizer = Pick<TrainingTokenizer, 'renderChat' | 'specialTexts'>;

/**
 * The whole conversation as text, and the span of each assistant message from index `lossFrom` on: from behind the
 * template's generation prompt up to and including the token that ends the turn. White space that a template puts
 * behind that token belongs to no turn, since generation has stopped before it.
 * @throws MakeSomeNoiseError ERR_DATA: the template refuses the messages, or renders the beginning of the
 * conversation differently once more messages follow, so that the spans cannot be told.
 */
export function conversationSpans(
  messages: readonly Message[],
  lossFrom: number,
  tokenizer: ChatTokenizer,
  place: string,
): { text: string; spans: Span[] } {
  const render = (count: number, addGenerationPrompt: boolean): string => {
    try {
      return tokenizer.renderChat!(messages.slice(0, count), addGenerationPrompt);
    } catch (cause) {
      throw dataError(place, `the chat template refuses these messages: ${(cause as Error).message}`, cause);
    }
  };
  const text = render(messages.length, false);
  const spans: Span[] = [];
  for (let index = lossFrom; index < messages.length; index++) {
    if (messages[index]!.role !== 'assistant') continue;
    const begin =
      index === 0 ? text.indexOf(messages[0]!.content.trim()) : beginBehind(render(index, true), text);
    if (begin < 0) {
      throw dataError(
        place,
        `messages[${index}]: the chat template renders what stands before this message differently when the message ` +
          "follows, so the loss mask cannot be told; render the row yourself and use format 'tokens'",
      );
    }
    const until = index + 1 === messages.length ? text : render(index + 1, false);
    const end = text.startsWith(until)
      ? endInside(until, begin, tokenizer.specialTexts)
      : endBehindContent(text, begin, messages[index]!.content, tokenizer.specialTexts);
    if (end === undefined || end < begin) {
      throw dataError(
        place,
        `messages[${index}]: the chat template renders this message differently when others follow, so the loss mask ` +
          "cannot be told; render the row yourself and use format 'tokens'",
      );
    }
    spans.push({ begin, end });
  }
  return { text, spans };
}

/** Templates need not render the empty conversation, so a first message begins with its content instead. */
function beginBehind(before: string, text: string): number {
  return text.startsWith(before) ? before.length : -1;
}

function endInside(until: string, begin: number, specialTexts: readonly string[]): number {
  const trimmed = until.trimEnd();
  const endsTurn = trimmed.length > begin && specialTexts.some((special) => trimmed.endsWith(special));
  return endsTurn ? trimmed.length : until.length;
}

/**
 * For templates that render an earlier turn without something of the last one (Qwen3 leaves out the thinking):
 * behind the content the first special token ends the turn.
 */
function endBehindContent(
  text: string,
  begin: number,
  content: string,
  specialTexts: readonly string[],
): number | undefined {
  const spoken = content.trim();
  const at = text.indexOf(spoken, begin);
  if (at < 0) return undefined;
  const ends = specialTexts.flatMap((special) => {
    const found = text.indexOf(special, at + spoken.length);
    return found < 0 ? [] : [{ found, end: found + special.length }];
  });
  return ends.sort((a, b) => a.found - b.found || b.end - a.end)[0]?.end;
}
