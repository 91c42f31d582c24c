import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LAST_LINES_MAX, LastLines } from "../../src/child/process/lastLines.ts";
import { LineSplitter } from "../../src/lines.ts";

/** All lines of these chunks. A line that was cut ends in "…". */
function linesOf(chunks: readonly Buffer[], limitBytes: number): string[] {
  const splitter = new LineSplitter(limitBytes);
  const lines: string[] = [];
  for (const chunk of chunks) {
    for (const { bytes, cut } of splitter.push(chunk)) {
      lines.push(bytes.toString("latin1") + (cut ? "…" : ""));
    }
    expect(splitter.unfinished.length).toBeLessThanOrEqual(limitBytes);
  }
  const last = splitter.end();
  if (last) lines.push(last.bytes.toString("latin1"));
  return lines;
}

/** The reference result: all text at once, with a regular expression. */
function expectedLines(text: string, limitBytes: number): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => (line.length > limitBytes ? `${line.slice(0, limitBytes)}…` : line));
}

describe("LineSplitter", () => {
  it.each<[string, string[]]>([
    ["", []],
    ["a\nb\n", ["a", "b"]],
    ["a\r\nb\rc\n\nd", ["a", "b", "c", "", "d"]],
    ["\n\r\n\r", ["", "", ""]],
    ["12345678\n123456789\n1\n", ["12345678", "12345678…", "1"]],
    ["123456789", ["12345678…"]],
  ])("cuts %j", (text, lines) => {
    expect(linesOf([Buffer.from(text)], 8)).toEqual(lines);
    expect(
      linesOf(
        [...text].map((c) => Buffer.from(c)),
        8,
      ),
    ).toEqual(lines);
  });

  it("finds the same lines in whatever chunks the bytes arrive", () => {
    const pieces = fc.array(
      fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r"), maxLength: 12 }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 6 }), (chunks, limitBytes) => {
        const lines = linesOf(
          chunks.map((chunk) => Buffer.from(chunk)),
          limitBytes,
        );
        expect(lines).toEqual(expectedLines(chunks.join(""), limitBytes));
      }),
    );
  });

  it("returns the line that has no end yet", () => {
    const splitter = new LineSplitter(100);
    expect([...splitter.push(Buffer.from("a\nbc"))]).toHaveLength(1);
    expect(splitter.unfinished.toString()).toBe("bc");
    expect([...splitter.push(Buffer.from("d\n"))].map((line) => line.bytes.toString())).toEqual([
      "bcd",
    ]);
    expect(splitter.unfinished).toHaveLength(0);
  });
});

describe("LastLines", () => {
  it("keeps the last fifty lines, and the beginning of each long one", () => {
    const words = new LastLines();
    words.add(Buffer.from("first"));
    expect(words.lines()).toEqual(["first"]);
    for (let i = 0; i < 70; i++) words.add(Buffer.from(`line ${i}`));
    expect(words.lines()).toHaveLength(LAST_LINES_MAX);
    expect(words.lines()[0]).toBe("line 20");
    words.add(Buffer.alloc(5_000, "x"));
    expect(words.lines().at(-1)).toBe(`${"x".repeat(1024)}… (5000 bytes)`);
  });
});
