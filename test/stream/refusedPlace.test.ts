// A position that Kinesis refuses for ever: the reader reports it with a remedy and skips nothing.

import { expect, inject, onTestFinished, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { parsePosition } from "../../src/model/position.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { FIRST_SHARD, localReader } from "./support.ts";

const REFUSED = {
  type: "error",
  name: "InvalidArgumentException",
  message: "StartingSequenceNumber is invalid because it did not come from this stream.",
} as const;

test("reports a sequence number from another shard, which only the service recognises", async () => {
  const proxy = await startFaultProxy(inject("kinesisUrl"));
  onTestFinished(() => proxy.stop());
  const streamName = await createStream("refused", 1);
  const [place] = await put(streamName, ["word"]);
  const from = parsePosition(place?.sequenceNumber ?? "", 0);
  if (!from) throw new Error("no position");
  proxy.next("GetShardIterator", REFUSED, 100);
  const over = new AbortController();
  const { read, events } = localReader(streamName, { endpoint: proxy.url });
  const reading = read({ shardId: FIRST_SHARD }, from, over.signal)[Symbol.asyncIterator]().next();
  const isReport = (event: Event) =>
    event.type === "serviceTrouble" && event.shardId === FIRST_SHARD;
  await until("the report", async () => events.some(isReport));
  over.abort();
  expect((await reading).done).toBe(true);
  const report = events.find(isReport);
  expect(report).toMatchObject({ operation: "GetShardIterator" });
  const { error } = report as Extract<Event, { type: "serviceTrouble" }>;
  expect(String(error)).toContain("did not come from this stream");
  expect(String(error)).toContain(`checkpoints reset --shard ${FIRST_SHARD} --to trim-horizon`);
  expect(events.filter(({ type }) => type === "shardExpired")).toEqual([]);
});
