// Transcripts as text: what is accepted, what is refused, and the compact notation.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linesOf } from "../../src/transcript/lines.ts";
import { compact, expand } from "../../src/transcript/template.ts";
import { lineOf, parseTranscript } from "../../src/transcript/transcript.ts";

describe("parseTranscript", () => {
  it("reads title, tags, both directions and events", () => {
    const text = `# One behaviour.
# More words about it.
# applies: daemon, client
# sentence: C3 C1
# java: deviation: it hangs.

> {"action":"initialize"}
<  two spaces: one belongs to the text
! stored: 12 0
! lease lost
`;
    expect(parseTranscript(text, "folder/one.txt")).toEqual({
      name: "one",
      title: "One behaviour.",
      applies: ["daemon", "client"],
      java: "deviation: it hangs.",
      sentences: ["C3", "C1"],
      announced: true,
      dialect: "kcl2",
      steps: [
        { from: "daemon", text: '{"action":"initialize"}', line: 7 },
        { from: "child", text: " two spaces: one belongs to the text", line: 8 },
        { from: "event", event: { type: "stored", text: "12 0" }, line: 9 },
        { from: "event", event: { type: "lease lost", text: "" }, line: 10 },
      ],
    });
  });

  it.each([
    ["hello", "f.txt:1"],
    ["# t\n! lease found", 'f.txt:2: unknown event "lease found"; known: lease lost, '],
    ["! lease lost: really", "f.txt:1"],
    ["! stored", "f.txt:1"],
  ])("refuses %j and says where", (text, message) => {
    expect(() => parseTranscript(text, "f.txt")).toThrow(message);
  });
});

describe("the compact notation", () => {
  it("stands for a repeated text", () => {
    const [step] = parseTranscript('> {"data":"{{repeat "QUJD" 3}}"}', "f").steps;
    expect(step && lineOf(step)).toBe('{"data":"QUJDQUJDQUJD"}');
    expect(expand('a{{repeat "\\r\\n" 2}}b')).toBe("a\r\n\r\nb");
  });

  it("does not change other braces", () => {
    expect(expand('{{"a":{}}} {{')).toBe('{{"a":{}}} {{');
  });

  it.each(['{{repeat "x" many}}', "{{repeat x 3}}", '{{repeat "x" 99999999999}}'])(
    "refuses %s",
    (text) => {
      expect(() => expand(text)).toThrow(text.slice(0, 12));
    },
  );

  it("is produced by compact, and expands to the same text", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("A", "eHh4", "=", "/", '"', "ab"), fc.nat(3000)), {
          maxLength: 4,
        }),
        (runs) => {
          const text = runs.map(([one, times]) => one.repeat(times)).join("|");
          expect(expand(compact(text))).toBe(text);
        },
      ),
    );
    const nasty = 'a {{repeat "x" 3}} {{repeat';
    expect(expand(compact(nasty))).toBe(nasty);
    expect(compact("A".repeat(5000))).toBe('{{repeat "A" 5000}}');
  });
});

describe("linesOf", () => {
  it("finds the same lines wherever the chunks are cut", async () => {
    const bytes = Buffer.from("eins\r\nzwei\n\n  drei ✓\u2028ü\nohne Ende");
    const expected = ["eins", "zwei", "", "  drei ✓\u2028ü", "ohne Ende"];
    for (const size of [1, 2, 3, 7, bytes.length]) {
      expect(await collect(bytes, size)).toEqual(expected);
    }
  });

  it("cuts a line that is too long, and continues after it", async () => {
    const bytes = Buffer.from(`${"x".repeat(100)}\nshort\n`);
    expect(await collect(bytes, 9, 20)).toEqual(["x".repeat(20), "short"]);
  });
});

async function collect(bytes: Buffer, size: number, limit?: number): Promise<string[]> {
  async function* chunks() {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  }
  const lines: string[] = [];
  for await (const line of linesOf(chunks(), limit)) lines.push(line);
  return lines;
}
