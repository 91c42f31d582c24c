// The README stays on one screen, its sentences short, and its figures those of the benchmarks.

import { expect, it } from "vitest";
import { proseOf, readPage, userPages } from "./pages.ts";

const MAX_LINES = 80;
const MEDIAN_WORDS = 15;
const LONG_WORDS = 26;

const readme = readPage("README.md");

it("the README fits on a screen", () => {
  expect(readme.text.trimEnd().split("\n").length).toBeLessThanOrEqual(MAX_LINES);
});

it.each(userPages.map((page) => [page.path, page] as const))(
  "%s has short sentences",
  (_, page) => {
    const lengths = sentenceLengths(proseOf(page));
    expect(quantile(lengths, 0.5)).toBeLessThanOrEqual(MEDIAN_WORDS);
    expect(quantile(lengths, 0.9)).toBeLessThanOrEqual(LONG_WORDS);
  },
);

it("the README's comparison has the figures of the benchmarks", () => {
  const bench = readPage("test/bench/README.md").text;
  const section =
    /## Compared with the Java daemon\n([\s\S]*?)(?:\n## |$)/.exec(readme.text)?.[1] ?? "";
  const rows = section.split("\n").filter((line) => /^\| .*\d/.test(line));
  const pairs = rows.slice(1).map((row) => row.split("|").slice(2, 4).map(figureIn));
  expect(pairs).toHaveLength(5);
  expect(pairs.filter(([ours, java]) => !isMeasured(bench, ours, java))).toEqual([]);
});

function figureIn(cell: string): string {
  return /[\d.,]+/.exec(cell)?.[0] ?? cell;
}

/** A table has both figures, in the rows of one measurement. */
function isMeasured(bench: string, ours = "", java = ""): boolean {
  const lines = bench.split("\n");
  return lines.some(
    (line, index) =>
      /\| kinesis-multilang \|/.test(line) &&
      line.includes(` ${ours} |`) &&
      /\| Java 3\.1\.3 \|/.test(lines[index + 1] ?? "") &&
      lines[index + 1]?.includes(` ${java} |`),
  );
}

/** Words of each sentence outside of tables, headings, lists of links and quoted code. */
function sentenceLengths(prose: string): number[] {
  const kept = prose
    .split("\n")
    .filter((line) => !/^\s*(\||#|<|!\[)/.test(line) && !line.includes(" · "))
    .map((line) => line.replace(/^\s*(- |\d+\. )/, "\n"))
    .join("\n")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/`[^`]*`/g, "code")
    .replace(/\*\*/g, "");
  return kept
    .split(/\n\s*\n|(?<=[.:?])\s+/)
    .map((sentence) => sentence.match(/[\p{Letter}\p{Number}][\p{Letter}\p{Number}'’.,-]*/gu) ?? [])
    .map((words) => words.length)
    .filter((count) => count > 2);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}
