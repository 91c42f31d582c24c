// What a child gets in one call, as the settings limit it.

import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

it("delivers at most maxBatchRecords records per call, and loses none", async () => {
  const stream = await createStream("shape", 1);
  const journal = await Journal.create();
  const words = Array.from({ length: 25 }, (_, index) => `word-${index}`);
  await put(stream, words, "one-key");
  const daemon = await startDaemon({
    properties: {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      maxBatchRecords: 10,
      maxBatchWindowMs: 100,
    },
    env: journal.env,
  });
  await until("all words", async () => (await journal.words()).length >= 25);
  expect(await daemon.stop()).toBe(0);
  expect(await journal.words()).toEqual(words);
  const entries = (await journal.read()).get("shardId-000000000000") ?? [];
  const sizes = entries.flatMap(({ words: given }) => (given ? [given.length] : []));
  expect(sizes).toEqual([10, 10, 5]);
});
