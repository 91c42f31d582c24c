// Reads CSV by RFC 4180: commas, doubled quotes inside quotes, and line ends inside quotes.

/** The rows of lines without their ends. An open quote continues in the next line. */
export async function* csvRows(lines: AsyncIterable<string>): AsyncGenerator<string[], void, void> {
  let fields: string[] = [];
  let open: string | undefined;
  for await (const line of lines) {
    let at = 0;
    if (open !== undefined) {
      const close = closingQuote(line, 0);
      if (close < 0) {
        open += `\n${line}`;
        continue;
      }
      fields.push(unquoted(`${open}\n${line.slice(0, close)}`));
      open = undefined;
      at = close + 1;
      if (at >= line.length) {
        yield fields;
        fields = [];
        continue;
      }
      at++;
    }
    for (;;) {
      if (line[at] === '"') {
        const close = closingQuote(line, at + 1);
        if (close < 0) {
          open = line.slice(at + 1);
          break;
        }
        fields.push(unquoted(line.slice(at + 1, close)));
        at = close + 1;
      } else {
        const comma = line.indexOf(",", at);
        fields.push(line.slice(at, comma < 0 ? line.length : comma));
        at = comma < 0 ? line.length : comma;
      }
      if (at >= line.length) break;
      at++;
    }
    if (open !== undefined) continue;
    yield fields;
    fields = [];
  }
  if (open !== undefined) throw new Error("a quote is never closed");
}

function closingQuote(line: string, from: number): number {
  for (let at = line.indexOf('"', from); at >= 0; at = line.indexOf('"', at + 2)) {
    if (line[at + 1] !== '"') return at;
  }
  return -1;
}

function unquoted(text: string): string {
  return text.replaceAll('""', '"');
}
