/** Cuts the text of a JSON list into its elements without holding the whole file, so that errors know the line. */
import { dataError, type JsonPiece } from './read';

const WHITESPACE = /\s/;

/**
 * The top-level elements of a JSON list. Only brackets and strings are looked at; each element is parsed by the
 * caller, which finds what is wrong inside it.
 */
export async function* jsonArrayElements(
  chunks: AsyncIterable<string>,
  file: string,
): AsyncGenerator<JsonPiece> {
  const scanner = new ListScanner(file);
  for await (const chunk of chunks) yield* scanner.scan(chunk);
  scanner.end();
}

class ListScanner {
  private line = 1;
  /** 0 before and behind the list, 1 between its elements and in plain ones, more inside nested brackets. */
  private depth = 0;
  private inString = false;
  private escaped = false;
  private closed = false;
  private elements = 0;
  private pieces: string[] = [];
  private elementLine = 0;

  constructor(private readonly file: string) {}

  *scan(chunk: string): Generator<JsonPiece> {
    let begin = this.elementLine > 0 ? 0 : -1;
    for (let at = 0; at < chunk.length; at++) {
      const character = chunk[at]!;
      if (character === '\n') this.line++;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (character === '\\') this.escaped = true;
        else if (character === '"') this.inString = false;
        continue;
      }
      if (this.depth === 0) {
        this.outside(character);
        continue;
      }
      const ends = this.depth === 1 && (character === ',' || character === ']');
      if (ends) {
        const element = this.finish(begin < 0 ? '' : chunk.slice(begin, at), character === ']');
        begin = -1;
        if (element !== undefined) yield element;
        if (character === ']') {
          this.depth = 0;
          this.closed = true;
        }
        continue;
      }
      if (begin < 0 && !WHITESPACE.test(character)) {
        begin = at;
        this.elementLine = this.line;
      }
      if (character === '"') this.inString = true;
      else if (character === '{' || character === '[') this.depth++;
      else if ((character === '}' || character === ']') && this.depth > 1) this.depth--;
    }
    if (begin >= 0) this.pieces.push(chunk.slice(begin));
  }

  end(): void {
    if (this.closed) return;
    throw dataError(
      `${this.file}:${this.line}`,
      this.depth === 0
        ? 'expected a JSON list of objects, the file is empty'
        : 'the JSON list is not closed; is the file cut off?',
    );
  }

  private outside(character: string): void {
    if (WHITESPACE.test(character)) return;
    const place = `${this.file}:${this.line}`;
    if (this.closed)
      throw dataError(place, `expected nothing behind the JSON list, received ${JSON.stringify(character)}`);
    if (character !== '[') {
      throw dataError(
        place,
        'expected a JSON list of objects; name the file .jsonl when it holds one object a line',
      );
    }
    this.depth = 1;
  }

  private finish(tail: string, last: boolean): JsonPiece | undefined {
    this.pieces.push(tail);
    const text = this.pieces.join('');
    this.pieces = [];
    const line = this.elementLine || this.line;
    this.elementLine = 0;
    if (text === '') {
      if (last && this.elements === 0) return undefined;
      throw dataError(`${this.file}:${line}`, 'not valid JSON: an element is missing in the list');
    }
    this.elements++;
    return { text, line };
  }
}
