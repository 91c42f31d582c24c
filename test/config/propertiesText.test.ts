import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseProperties } from "../../src/config/propertiesText.ts";

const pairs = (text: string) => parseProperties(text).entries.map(({ key, value }) => [key, value]);

describe("the syntax of java.util.Properties", () => {
  test.each([
    ["k=v", "k", "v"],
    ["k:v", "k", "v"],
    ["k v", "k", "v"],
    ["  k \t= \f v", "k", "v"],
    ["k = = v", "k", "= v"],
    ["k == v", "k", "= v"],
    ["k : = v", "k", "= v"],
    ["k=v  ", "k", "v  "],
    ["k", "k", ""],
    ["k=", "k", ""],
    ["=v", "", "v"],
    ["a\\=b=c", "a=b", "c"],
    ["a\\:b:c", "a:b", "c"],
    ["a\\ b c", "a b", "c"],
    ["a\\\\=c", "a\\", "c"],
    ["p=C:\\temp", "p", "C:\temp"],
    ["p=\\q\\:\\=\\#", "p", "q:=#"],
    ["u=\\u00e9\\u0041", "u", "éA"],
    ["u=\\ud83d\\ude00", "u", "😀"],
    ["u=\\\\u00e9", "u", "\\u00e9"],
    ["l=a\\\n   b", "l", "ab"],
    ["l=a\\\r\n\t b", "l", "ab"],
    ["l=a\\\\", "l", "a\\"],
    ["l=a\\\n#b", "l", "a#b"],
    ["l=a\\\n\nb=c", "l", "a", "b", "c"],
    ["l=a\\", "l", "a"],
    ["\\\n#c\nk=v", "k", "v"],
    ["# c\\\nk=v", "k", "v"],
    ["  ! c\nk=v", "k", "v"],
    ["\n \t\f\nk=v\n\n", "k", "v"],
    ["a=1\rb=2\r\nc=3", "a", "1", "b", "2", "c", "3"],
    ["k=1\nk=2", "k", "1", "k", "2"],
    ["é = ü", "é", "ü"],
  ])("%j", (text, ...expected) => {
    expect(pairs(text).flat()).toEqual(expected);
  });

  test("an entry has the line where it begins, with any line ends", () => {
    const { entries } = parseProperties("# 1\r\na=1\\\r\n 3\r\rb=5\n\\\nc=7");
    expect(entries.map(({ key, line }) => [key, line])).toEqual([
      ["a", 2],
      ["b", 5],
      ["c", 7],
    ]);
  });

  test.each(["\\u12", "\\u12g4", "\\u"])(
    "%s is a problem with its line; the rest stands",
    (bad) => {
      const { entries, problems } = parseProperties(`a=1\nb=${bad}\nc=3`);
      expect(entries.map(({ key }) => key)).toEqual(["a", "c"]);
      expect(problems).toHaveLength(1);
      expect(problems[0]?.line).toBe(2);
      expect(problems[0]?.message).toContain(bad);
    },
  );
});

describe("whatever text", () => {
  const anyText = fc.string({
    unit: fc.constantFrom(
      "a",
      "u",
      "0",
      "=",
      ":",
      " ",
      "\t",
      "\f",
      "\n",
      "\r",
      "\\",
      "#",
      "!",
      "é",
    ),
    maxLength: 60,
  });

  test("never throws, and every line number is in the text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { entries, problems } = parseProperties(text);
        const lines = text.split(/\r\n|\r|\n/).length;
        for (const { line } of [...entries, ...problems]) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines);
        }
      }),
    );
  });

  test("agrees with a reader that works character by character, as in Java", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { entries, problems } = parseProperties(text);
        fc.pre(problems.length === 0);
        expect(entries.map(({ key, value }) => [key, value])).toEqual(machine(text));
      }),
      { numRuns: 5000 },
    );
  });

  test("reads back what was escaped", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (key, value) => {
        expect(pairs(`${escaped(key)}=${escaped(value)}`)).toEqual([[key, value]]);
      }),
    );
  });
});

/** Writes every UTF-16 unit as an escape. */
function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, index) => {
    const unit = text.charCodeAt(index);
    return `\\u${unit.toString(16).padStart(4, "0")}`;
  }).join("");
}

/** The same syntax as a simple state machine over characters, for comparison. */
function machine(text: string): [string, string][] {
  const lines: string[] = [];
  let line = "";
  let [skipBlanks, comment, appended, backslash] = [true, false, false, false];
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    const end = char === "\n" || char === "\r";
    if (skipBlanks) {
      if (" \t\f".includes(char) || (!appended && end)) continue;
      [skipBlanks, appended] = [false, false];
    }
    if (line === "" && (char === "#" || char === "!")) comment = true;
    if (!end) {
      if (!comment) line += char;
      backslash = char === "\\" && !backslash;
    } else if (comment || line === "") {
      [comment, skipBlanks, backslash] = [false, true, false];
      line = "";
    } else if (backslash) {
      line = line.slice(0, -1);
      [skipBlanks, appended, backslash] = [true, true, false];
      if (char === "\r" && text.charAt(at + 1) === "\n") at += 1;
    } else {
      lines.push(line);
      line = "";
      skipBlanks = true;
    }
  }
  if (!comment && line !== "") lines.push(backslash ? line.slice(0, -1) : line);
  return lines.filter((text) => text !== "").map(pairOf);
}

function pairOf(line: string): [string, string] {
  let [at, escaped] = [0, false];
  while (at < line.length) {
    const char = line.charAt(at);
    if (!escaped && "=: \t\f".includes(char)) break;
    escaped = char === "\\" && !escaped;
    at += 1;
  }
  const rest = line.slice(at).replace(/^[ \t\f]*[=:]?[ \t\f]*/, "");
  return [plain(line.slice(0, at)), plain(rest)];
}

function plain(raw: string): string {
  let out = "";
  for (let at = 0; at < raw.length; at += 1) {
    const char = raw.charAt(at);
    if (char !== "\\") {
      out += char;
      continue;
    }
    at += 1;
    const next = raw.charAt(at);
    if (next === "u") {
      out += String.fromCharCode(Number.parseInt(raw.slice(at + 1, at + 5), 16));
      at += 4;
    } else {
      out += { t: "\t", n: "\n", r: "\r", f: "\f" }[next] ?? next;
    }
  }
  return out;
}
