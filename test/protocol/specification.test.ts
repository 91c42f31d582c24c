// Checks that the specification and its transcripts refer to each other: each sentence has a
// transcript, and each transcript a sentence.

import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { scriptOf } from "../../src/transcript/script.ts";

const text = await readFile(new URL("../../protocol/README.md", import.meta.url), "utf8");
const transcripts = await loadTranscripts();
const names = transcripts.map(({ name }) => name);
const sentences = new Map(
  [...text.matchAll(/^- \*\*([A-Z]\d+)\.\*\*((?:.|\n(?!- \*\*|## ))*)/gm)].map(
    ([, number, body]) => [number ?? "", body ?? ""],
  ),
);
const java = text.slice(text.indexOf("## Where the Java daemon differs"));

describe("the specification", () => {
  it("states its version", () => {
    expect(text).toContain("**Protocol version 1**");
  });

  it("numbers its sentences without gaps", () => {
    const letters = new Set([...sentences.keys()].map((number) => number.slice(0, 1)));
    expect([...letters].join("")).toBe("TMOCELVX");
    for (const letter of letters) {
      const mine = [...sentences.keys()].filter((number) => number.startsWith(letter));
      expect(mine).toEqual(mine.map((_, index) => `${letter}${index + 1}`));
    }
  });

  it.each([...sentences])("shows %s in transcripts that exist", (_number, body) => {
    const shown = body.slice(body.indexOf("→"));
    if (shown.includes("(nothing to show)")) return;
    const named = [...(shown.split("\n\n")[0]?.matchAll(/`([a-z-]+)`/g) ?? [])].map(
      ([, name]) => name,
    );
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(names).toContain(name);
  });
});

describe.each(transcripts.map((transcript) => [transcript.name, transcript] as const))(
  "the transcript %s",
  (name, { title, applies, sentences: shown, java: said, steps }) => {
    it("states what it shows, for which side, and which sentence that is", () => {
      expect(title).toMatch(/^[A-Z].*\.$/);
      expect(applies.length).toBeGreaterThan(0);
      expect(shown.length).toBeGreaterThan(0);
      for (const number of shown) expect([...sentences.keys()]).toContain(number);
      expect(steps.length).toBeGreaterThan(0);
    });

    it("is named after the sentence that it shows", () => {
      expect(sentences.get(shown[0] ?? "")).toContain(`\`${name}\``);
    });

    it("states what the Java daemon does, and so does the table", () => {
      if (applies.includes("daemon")) expect(said).toMatch(/^(same|deviation: .+)/);
      if (said?.startsWith("deviation")) expect(java).toContain(`\`${name}\``);
    });

    it("has lines of the daemon that are JSON with an action", () => {
      for (const { action } of scriptOf({ steps }, "kcl2")) {
        expect(typeof action).toBe("string");
      }
    });
  },
);

it("has at least thirty transcripts for either side", () => {
  for (const side of ["daemon", "client"] as const) {
    expect(transcripts.filter(({ applies }) => applies.includes(side)).length).toBeGreaterThan(30);
  }
});
