// The lines of a stream as text, for tools. A line ends at \n or \r\n only, so that a recording
// keeps a lone \r; src/lines.ts, for the daemon, also ends a line there. A line beyond the limit is
// cut, so that a child that never ends a line cannot use up the memory.

import { StringDecoder } from "node:string_decoder";

/** Messages of a child are short; the rest of a longer line is dropped. */
const MAX_LINE_CHARACTERS = 4 * 1024 * 1024;

/** The lines of a stream; the text after the last line end is a line too. */
export async function* linesOf(
  stream: AsyncIterable<Buffer>,
  maxCharacters: number = MAX_LINE_CHARACTERS,
): AsyncGenerator<string, void, void> {
  const decoder = new StringDecoder("utf8");
  let pieces: string[] = [];
  let length = 0;
  const add = (piece: string): void => {
    if (piece.length === 0 || length >= maxCharacters) return;
    pieces.push(piece.slice(0, maxCharacters - length));
    length += piece.length;
  };
  const take = (): string => {
    const line = pieces.join("");
    pieces = [];
    length = 0;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  };
  for await (const chunk of stream) {
    const text = decoder.write(chunk);
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      add(text.slice(from, end));
      yield take();
      from = end + 1;
    }
    add(text.slice(from));
  }
  add(decoder.end());
  if (length > 0) yield take();
}
