/** Generated tokens to text, up to the first stop string. */
import type { IncrementalDecoder } from '../model/incremental-decoder';

/** What became of some tokens. */
export interface StreamedText {
  /** Text that is certain: no later token changes it, and no stop string can begin in it. */
  text: string;
  /** How many of the tokens count: all, or those up to the one that completed a stop string. */
  taken: number;
  stopped: boolean;
}

/**
 * Looks for stop strings in the text as it grows, token by token, so that where a text stops does not depend on how
 * many tokens a step gave. Text that may be the beginning of a stop string is held back.
 */
export class TextStream {
  private held = '';

  /** Without a decoder (a model without a tokenizer) there is no text. */
  constructor(
    private readonly decoder: IncrementalDecoder | undefined,
    private readonly stopStrings: readonly string[],
  ) {}

  async push(tokens: Int32Array): Promise<StreamedText> {
    const { decoder } = this;
    if (decoder === undefined) return { text: '', taken: tokens.length, stopped: false };
    if (this.stopStrings.length === 0) {
      return { text: await decoder.push(tokens), taken: tokens.length, stopped: false };
    }
    let text = '';
    for (let taken = 0; taken < tokens.length; taken++) {
      const stable = await decoder.push(tokens.subarray(taken, taken + 1));
      const released = this.release(stable, decoder.unstableText);
      text += released.text;
      if (released.stopped) return { text, taken: taken + 1, stopped: true };
    }
    return { text, taken: tokens.length, stopped: false };
  }

  /** The text that was held back, as nothing follows. */
  async finish(): Promise<Omit<StreamedText, 'taken'>> {
    if (this.decoder === undefined) return { text: '', stopped: false };
    const { text, stopped } = this.release(await this.decoder.flush());
    return { text: stopped ? text : text + this.held, stopped };
  }

  /** `unstable` is what stands behind it as long as nothing follows; nothing does if it completes a stop string. */
  private release(added: string, unstable = ''): Omit<StreamedText, 'taken'> {
    const text = this.held + added;
    const stop = firstOccurrence(text + unstable, this.stopStrings);
    if (stop >= 0) return { text: (text + unstable).slice(0, stop), stopped: true };
    const certain = text.length - longestBeginning(text, this.stopStrings);
    this.held = text.slice(certain);
    return { text: text.slice(0, certain), stopped: false };
  }
}

/** The lowest index at which one of the strings stands; -1: none does. */
function firstOccurrence(text: string, strings: readonly string[]): number {
  const found = strings.map((string) => text.indexOf(string)).filter((index) => index >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}

/** Length of the longest end of the text that one of the strings begins with. */
function longestBeginning(text: string, strings: readonly string[]): number {
  let longest = 0;
  for (const string of strings) {
    for (let length = Math.min(string.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(string.slice(0, length))) longest = length;
    }
  }
  return longest;
}
