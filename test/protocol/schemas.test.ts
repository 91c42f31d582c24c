// The published JSON Schemas match the code, and the transcripts' messages match the schemas.

import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { childMessage, daemonMessage } from "../../src/child/messages.ts";
import { jsonSchemas } from "../../src/transcript/jsonSchemas.ts";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { spoken } from "../../src/transcript/transcript.ts";

const folder = new URL("../../protocol/schemas/", import.meta.url);

it("publishes exactly the code's schemas (npm run schemas writes them)", async () => {
  const published = (await readdir(folder)).sort();
  expect(published).toEqual([...jsonSchemas().keys()].sort());
  for (const [name, text] of jsonSchemas()) {
    expect(await readFile(new URL(name, folder), "utf8")).toBe(text);
  }
});

it.each((await loadTranscripts()).map((transcript) => [transcript.name, transcript] as const))(
  "has a schema for what %s says",
  (_name, { applies, steps }) => {
    for (const step of steps) {
      if (step.from === "daemon") daemonMessage.parse(JSON.parse(spoken(step)));
      // In a transcript that only checks the daemon, a child may send anything.
      if (step.from === "child" && applies.includes("client")) {
        childMessage.parse(JSON.parse(spoken(step)));
      }
    }
  },
);
