// `executableName` taken apart into a program and its arguments. No shell is involved: `~`, `$VAR`, `*`, `;` are literal.
// Java splits at spaces and knows no quotes; quotes are our extension, so that a path with spaces can be written.

export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * Splits at spaces (only spaces: a tab belongs to its word, as in Java). `'…'` is literal; in `"…"` a backslash
 * escapes `"` and `\`; outside of quotes a backslash is a character like any other.
 *
 * @returns what is wrong, as a string, when a quote is not closed or there is no program.
 */
export function parseCommand(text: string): ChildCommand | string {
  const words: string[] = [];
  let rest = text.replace(/^ +/, "");
  while (rest !== "") {
    const word = /^(?:[^ '"]|'[^']*'|"(?:[^"\\]|\\.)*")+/s.exec(rest)?.[0] ?? "";
    const after = rest.slice(word.length);
    if (after !== "" && !after.startsWith(" ")) {
      const apostrophe = after.startsWith("'") && word !== "";
      const advice = apostrophe
        ? `; an apostrophe that belongs to a word stands in double quotes: "it's"`
        : "";
      return `the quote that begins at ${after.slice(0, 20)} is not closed${advice}`;
    }
    words.push(unquote(word));
    rest = after.replace(/^ +/, "");
  }
  const [file, ...args] = words;
  if (!file?.trim()) return "names no program";
  return { file, args };
}

function unquote(word: string): string {
  return word.replace(
    /'([^']*)'|"((?:[^"\\]|\\.)*)"/gs,
    (_, single?: string, double?: string) => single ?? (double ?? "").replace(/\\(["\\])/g, "$1"),
  );
}
