// The published JSON Schemas are those of the code, and the messages in the transcripts conform to
// them.

import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { childMessage, daemonMessage } from "../../src/child/messages.ts";
import { jsonSchemas } from "../../src/transcript/jsonSchemas.ts";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { lineOf } from "../../src/transcript/transcript.ts";

const folder = new URL("../../protocol/schemas/", import.meta.url);

it("publishes the schemas of the code (npm run schemas writes them)", async () => {
  const published = (await readdir(folder)).sort();
  expect(published).toEqual([...jsonSchemas().keys()].sort());
  for (const [name, text] of jsonSchemas()) {
    expect(await readFile(new URL(name, folder), "utf8")).toBe(text);
  }
});

it.each((await loadTranscripts()).map((transcript) => [transcript.name, transcript] as const))(
  "accepts the messages in %s",
  (_name, { applies, steps }) => {
    for (const step of steps) {
      if (step.from === "daemon") daemonMessage.parse(JSON.parse(lineOf(step)));
      // In a transcript for daemons only, the child may send anything.
      if (step.from === "child" && applies.includes("client")) {
        childMessage.parse(JSON.parse(lineOf(step)));
      }
    }
  },
);
