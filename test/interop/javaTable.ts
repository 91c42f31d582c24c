// Decides which transcripts can be played to the Java daemon, and writes the results as a table.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Transcript } from "../../src/transcript/transcript.ts";

const TABLE = fileURLToPath(new URL("../../protocol/java.md", import.meta.url));

/** Transcripts that need a state which no emulator, or no real stream, can reach. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  "behind-unknown": "the service always reports how far behind a batch is",
  "initialize-at-timestamp": "this needs a daemon that starts at a timestamp",
  "empty-batch": "with the required setting, empty batches arrive at any time",
  "huge-record-line": "a record of the emulated stream is limited to 1 MiB",
};

/** Why a transcript is not played, or `undefined` if it is. */
export function outOfReach({ name, steps, java }: Transcript): string | undefined {
  const fails = steps.some(
    (step) => step.from === "event" && step.event.type === "checkpoint fails",
  );
  if (!java?.startsWith("same")) return "a stated deviation";
  return fails ? "the test cannot make the lease table fail on demand" : OUT_OF_REACH[name];
}

/** The child's failure ends the whole Java daemon, so the transcript needs its own daemon. */
export function endsTheDaemon({ steps }: Transcript): boolean {
  return steps.some((step) => step.from === "event" && step.event.type === "child fails");
}

/** For each transcript, the mismatch, or `undefined` if every line matched. */
export type Outcomes = ReadonlyMap<string, string | undefined>;

export function writeTable(version: string, all: readonly Transcript[], outcomes: Outcomes): void {
  const rows = all.map((transcript) => {
    const { name, java = "" } = transcript;
    if (java.startsWith("deviation:")) return row(name, "deviation", java.slice(11));
    if (!outcomes.has(name)) return row(name, "not played", outOfReach(transcript) ?? "");
    const fault = outcomes.get(name);
    return fault ? row(name, "differs", fault) : row(name, "same", java.slice(4).trim());
  });
  const count = [...outcomes.values()].filter((fault) => fault === undefined).length;
  const text = `# The transcripts and the Java daemon

This table is written by
\`INTEROP=write npx vitest run --config .vitest.config.ts test/interop\`, which plays the transcripts
to the MultiLangDaemon ${version}. It compares every line byte by byte, except for times and for sequence
numbers, which the stream assigns. ${count} of the ${outcomes.size} transcripts played matched.

| Transcript | Java | Reason |
| --- | --- | --- |
${rows.join("\n")}
`;
  writeFileSync(TABLE, text);
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
