// The compact notation in a transcript's lines: {{repeat "QUJD" 4194304}} stands for the text
// repeated that number of times, so that a line of 16 MiB fits on a screen. The text is a JSON
// string, in which "\r" and "\n" stand for raw control characters.

/** The longest line of a transcript: a mistyped count must not use up the memory. */
export const MAX_EXPANDED_CHARACTERS = 64 * 1024 * 1024;

const REPEAT = /\{\{repeat ("(?:[^"\\]|\\.)*") (\d+)\}\}/g;

/** The text as it is sent. @throws Error when it is too long, or when a `{{repeat` is malformed. */
export function expand(text: string): string {
  if (!text.includes("{{")) return text;
  let length = text.length;
  const expanded = text.replace(REPEAT, (_, quoted: string, times: string) => {
    const part = JSON.parse(quoted) as string;
    length += part.length * Number(times);
    if (length > MAX_EXPANDED_CHARACTERS) {
      throw new Error(
        `The line would be longer than ${MAX_EXPANDED_CHARACTERS} characters: ${text}`,
      );
    }
    return part.repeat(Number(times));
  });
  const left = text.replace(REPEAT, "").match(/\{\{\s*repeat[^}]*\}?\}?/);
  if (left) throw new Error(`Malformed: ${left[0]} (the form is {{repeat "text" count}})`);
  return expanded;
}

/** For recordings: the least number of repetitions of up to four characters that is compacted. */
const MIN_REPETITIONS = 256;
const MAX_PART_CHARACTERS = 4;
const PART = /^[A-Za-z0-9+/ .=-]+$/;

/** The reverse of `expand`: the same text with long repetitions in the compact notation. */
export function compact(text: string): string {
  const escaped = text.replaceAll("{{repeat", '{{repeat "{" 2}}repeat');
  const pieces: string[] = [];
  let copied = 0;
  for (let at = 0; at + MIN_REPETITIONS <= escaped.length; at++) {
    const run = runAt(escaped, at);
    if (!run) continue;
    pieces.push(escaped.slice(copied, at), `{{repeat "${run.part}" ${run.times}}}`);
    copied = at + run.part.length * run.times;
    at = copied - 1;
  }
  return pieces.join("") + escaped.slice(copied);
}

// Not a regular expression: one with a back-reference overflows the stack on long lines.
function runAt(
  text: string,
  at: number,
): { readonly part: string; readonly times: number } | undefined {
  for (let size = 1; size <= MAX_PART_CHARACTERS; size++) {
    let end = at + size;
    while (end < text.length && text.charCodeAt(end) === text.charCodeAt(end - size)) end++;
    const times = Math.floor((end - at) / size);
    if (times < MIN_REPETITIONS) continue;
    const part = text.slice(at, at + size);
    return PART.test(part) ? { part, times } : undefined;
  }
  return undefined;
}
