// The compact notation inside a transcript's lines: {{repeat "QUJD" 4194304}} stands for that text so many times,
// so that a line of 16 MiB fits on a screen. The text is a JSON string; "\r" and "\n" in it are how a line gets raw controls.

/** The longest line that a transcript may ask for: a mistyped count must not eat the machine. */
export const MAX_EXPANDED_CHARACTERS = 64 * 1024 * 1024;

const REPEAT = /\{\{repeat ("(?:[^"\\]|\\.)*") (\d+)\}\}/g;

/** The text as it travels. Throws when it would grow beyond the limit, or a `{{` is left that means nothing. */
export function expand(text: string): string {
  if (!text.includes("{{")) return text;
  let length = text.length;
  const expanded = text.replace(REPEAT, (_, quoted: string, times: string) => {
    const part = JSON.parse(quoted) as string;
    length += part.length * Number(times);
    if (length > MAX_EXPANDED_CHARACTERS) {
      throw new Error(`a line would be longer than ${MAX_EXPANDED_CHARACTERS} characters: ${text}`);
    }
    return part.repeat(Number(times));
  });
  const left = text.replace(REPEAT, "").match(/\{\{\s*repeat[^}]*\}?\}?/);
  if (left) throw new Error(`not understood: ${left[0]} (the form is {{repeat "text" count}})`);
  return expanded;
}

/** The other way, for recordings: a run of one repeated character of at least this length is written compactly. */
const MIN_RUN = 1024;

const RUN = new RegExp(`([A-Za-z0-9+/ .-])\\1{${MIN_RUN - 1},}`, "g");

/** A text without `{{` whose long runs are written with `repeat`; `expand` gives the same text back. */
export function compact(text: string): string {
  return text.replace(RUN, (run, one: string) => `{{repeat "${one}" ${run.length}}}`);
}
