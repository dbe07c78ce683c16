/** Token ids to text as they come, never inside a code point, in sum exactly what decoding all of them gives. */

/** What the decoder needs of a tokenizer. */
export interface TokenDecoding {
  decode(tokens: number[]): Promise<string>;
  /**
   * Whether the token leaves a run of bytes open: it stands for a byte of a character that has no piece of its own
   * ("<0xE3>"), or decoding leaves it out, so that what stands before and behind it is one run.
   */
  leavesOpen(token: number): boolean;
}

const replacementCharacter = '\ufffd';
/** Decoding starts over behind an earlier border when the window is this long, so that its cost stays constant. */
const longestWindow = 48;

/**
 * Text is *stable* once no later token can change it. Not stable are:
 * - U+FFFD at the end, the sign of a code point whose bytes are not all there;
 * - byte tokens at the end: a run of them that is not UTF-8 becomes U+FFFD as a whole.
 *
 * Only the last tokens are decoded, together with some whose text is already out: the first piece of a text loses its
 * space, the others must keep theirs.
 */
export class IncrementalDecoder {
  private window: number[] = [];
  /** Text of the window that is out. */
  private emitted = '';
  /** Index in the window behind which all text was out, with no open character. */
  private border = 0;
  private unstable = '';

  constructor(private readonly decoding: TokenDecoding) {}

  /** What stands behind the stable text if nothing follows. */
  get unstableText(): string {
    return this.unstable;
  }

  /** Takes the next tokens and returns the text that became stable. */
  async push(tokens: ArrayLike<number>): Promise<string> {
    for (let index = 0; index < tokens.length; index++) this.window.push(tokens[index]!);
    const closed = this.closedLength();
    const text = await this.decoding.decode(this.window.slice(0, closed));
    const stable = withoutTrailing(text, replacementCharacter);
    const added = this.take(stable);
    const whole = closed === this.window.length ? text : await this.decoding.decode(this.window);
    this.unstable = whole.slice(this.emitted.length);
    if (stable.length === text.length && this.emitted.length === text.length) await this.moveBorder(closed);
    return added;
  }

  /** Returns what is left, as nothing follows. */
  async flush(): Promise<string> {
    const text = await this.decoding.decode(this.window);
    const rest = text.slice(this.emitted.length);
    this.emitted = text;
    this.unstable = '';
    return rest;
  }

  /** The tokens before the run of byte tokens at the end. */
  private closedLength(): number {
    let length = this.window.length;
    while (length > 0 && this.decoding.leavesOpen(this.window[length - 1]!)) length--;
    return length;
  }

  private take(stable: string): string {
    // A decoder that takes text back would be one that changes the end of a text; wait for what it settles on.
    if (!stable.startsWith(this.emitted)) return '';
    const added = stable.slice(this.emitted.length);
    this.emitted = stable;
    return added;
  }

  private async moveBorder(border: number): Promise<void> {
    if (border > longestWindow && this.border > 0) {
      const kept = this.window.slice(this.border, border);
      const context = await this.decoding.decode(kept);
      // Without text of its own the context would not keep the space of what follows.
      if (context !== '' && this.emitted.endsWith(context)) {
        this.window = this.window.slice(this.border);
        this.emitted = context;
        border = kept.length;
      }
    }
    this.border = border;
  }
}

function withoutTrailing(text: string, character: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === character) end--;
  return text.slice(0, end);
}
