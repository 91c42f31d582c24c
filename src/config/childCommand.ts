// Splits `executableName` into a program and its arguments. No shell runs it: `~`, `$VAR`, `*` and
// `;` are literal. Java splits at spaces and treats quotes as part of the words; here quotes keep a
// word together, so that a path with spaces can be written.

export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/**
 * Splits at spaces only: a tab belongs to its word, as in Java. `'…'` is literal; in `"…"` a
 * backslash escapes `"` and `\`; outside of quotes a backslash is an ordinary character.
 *
 * @returns the problem, as a string, when a quote is not closed or the program is missing.
 */
export function parseCommand(text: string): ChildCommand | string {
  const words: string[] = [];
  let rest = text.replace(/^ +/, "");
  while (rest !== "") {
    const word = /^(?:[^ '"]|'[^']*'|"(?:[^"\\]|\\.)*")+/s.exec(rest)?.[0] ?? "";
    const after = rest.slice(word.length);
    if (after !== "" && !after.startsWith(" ")) {
      const apostrophe = after.startsWith("'") && word !== "";
      const advice = apostrophe ? `; write a word with an apostrophe in double quotes: "it's"` : "";
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

/** The words as one text that `parseCommand` splits into the same words. */
export function commandText(words: readonly string[]): string {
  return words
    .map((word) => (/[ '"]|^$/.test(word) ? `"${word.replaceAll(/["\\]/g, "\\$&")}"` : word))
    .join(" ");
}
