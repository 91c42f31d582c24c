// The published JSON Schemas are those of the code, and what the transcripts say keeps to them.

import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { childMessage, daemonMessage } from "../../src/child/messages.ts";
import { jsonSchemas } from "../../src/transcript/jsonSchemas.ts";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { spoken } from "../../src/transcript/transcript.ts";

const folder = new URL("../../protocol/schemas/", import.meta.url);

it("publishes exactly what the code has (npm run schemas writes it)", async () => {
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
      // Against a daemon alone, a child may say anything.
      if (step.from === "child" && applies.includes("client")) {
        childMessage.parse(JSON.parse(spoken(step)));
      }
    }
  },
);
