// Writes a value as one of its many JSON texts. A list of numbers chooses white space, escapes and
// the order of names, so that fast-check can shrink the text.

export type Choose = (ways: number) => number;

/** Takes choices from a list, and starts again at its end. */
export function choices(list: readonly number[]): Choose {
  let next = 0;
  return (ways) => {
    const number = list.length === 0 ? 0 : (list[next % list.length] ?? 0);
    next += 1;
    return number % ways;
  };
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "/": "\\/",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Writes a number as one of several equal texts, and other values like `JSON.stringify`. */
export class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function jsonText(value: unknown, choose: Choose): string {
  const space = () => ["", "", "", " ", "\n", "\r\n  ", "\t"][choose(7)] ?? "";
  if (value instanceof NumberText) return value.text;
  if (typeof value === "string") return stringText(value, choose);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => space() + jsonText(item, choose) + space());
    return `[${items.length === 0 ? space() : items.join(",")}]`;
  }
  const entries = Object.entries(value);
  const shuffled: typeof entries = [];
  while (entries.length > 0) shuffled.push(...entries.splice(choose(entries.length), 1));
  const members = shuffled.map(
    ([name, item]) =>
      `${space()}${stringText(name, choose)}${space()}:${space()}${jsonText(item, choose)}${space()}`,
  );
  return `{${members.length === 0 ? space() : members.join(",")}}`;
}

function stringText(text: string, choose: Choose): string {
  // Most strings have only the escapes that they need; some have all that are possible.
  const escapes = choose(4) === 0;
  let written = "";
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charAt(at);
    const code = text.charCodeAt(at);
    const mustEscape = code < 0x20 || unit === '"' || unit === "\\" || isLoneSurrogate(text, at);
    if (!mustEscape && !(escapes && choose(3) === 0)) written += unit;
    else {
      const short = choose(2) === 0 ? SHORT_ESCAPES[unit] : undefined;
      const hex = code.toString(16).padStart(4, "0");
      written += short ?? `\\u${choose(2) === 0 ? hex : hex.toUpperCase()}`;
    }
  }
  return `"${written}"`;
}

// UTF-8 cannot hold half of a surrogate pair. If one half is escaped, the other one is escaped,
// too.
function isLoneSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xd800 && code <= 0xdfff;
}
