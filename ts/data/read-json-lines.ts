/** Cuts JSON Lines text into its lines. */
import type { JsonPiece } from './read';

/** The lines that hold something, without their line ends. */
export async function* jsonLines(chunks: AsyncIterable<string>): AsyncGenerator<JsonPiece> {
  // A line may span many chunks: the pieces are joined once, when its end is there.
  let pieces: string[] = [];
  let line = 1;
  for await (const chunk of chunks) {
    let begin = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', begin)) {
      pieces.push(chunk.slice(begin, end));
      const text = pieces.join('');
      if (text.trim() !== '') yield { text, line };
      pieces = [];
      line++;
      begin = end + 1;
    }
    pieces.push(chunk.slice(begin));
  }
  const text = pieces.join('');
  if (text.trim() !== '') yield { text, line };
}
