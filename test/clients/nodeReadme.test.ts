// Runs the processor in the Node client's README, copied as a reader would copy it.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { loadTranscripts } from "../../src/transcript/library.ts";
import { playClient } from "../../src/transcript/playClient.ts";
import { temporaryFolder } from "../support/daemon.ts";

const CLIENT = fileURLToPath(new URL("../../clients/node/", import.meta.url));

it.each(["process-batches", "shard-end", "stop"])("passes %s", async (name) => {
  const readme = await readFile(join(CLIENT, "README.md"), "utf8");
  const [, program = ""] = /```js\n(.*?)```/s.exec(readme) ?? [];
  const file = join(await temporaryFolder(), "processor.mjs");
  const client = pathToFileURL(join(CLIENT, "kcl.mjs")).href;
  await writeFile(file, program.replace('"kinesis-multilang-client"', JSON.stringify(client)));
  const transcript = (await loadTranscripts("client")).find((one) => one.name === name);
  if (!transcript) throw new Error(`no transcript ${name}`);
  const verdict = await playClient(transcript, { argv: [process.execPath, file] });
  expect(verdict).toMatchObject({ outcome: "passed" });
});
