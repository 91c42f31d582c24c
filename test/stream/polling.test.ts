// Reading from a real emulator: order, positions, both ways in which shards multiply, the ends.

import { expect, inject, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { Batch, KinesisRecord } from "../../src/model/batch.ts";
import type { Position } from "../../src/model/position.ts";
import type { InitialPosition } from "../../src/model/shard.ts";
import { ByteBudget } from "../../src/stream/byteBudget.ts";
import { kinesisClient } from "../../src/stream/client.ts";
import { pollingReader } from "../../src/stream/pollingReader.ts";
import { createStream, put } from "../support/emulators.ts";

const HORIZON: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };

function reader(
  streamName: string,
  options: { maxRecords?: number; initial?: InitialPosition } = {},
) {
  const events: Event[] = [];
  const read = pollingReader({
    client: kinesisClient({
      endpoint: inject("kinesisUrl"),
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
      maxAttempts: 1,
    }),
    stream: { streamName },
    initialPosition: options.initial ?? { type: "TRIM_HORIZON" },
    settings: {
      maxRecords: options.maxRecords ?? 10_000,
      idleTimeBetweenReadsInMillis: undefined,
    },
    budget: new ByteBudget(64 * 1024 * 1024),
    clock: systemClock,
    emit: (event) => events.push(event),
  });
  return { read, events };
}

function recordsOf(batches: readonly Batch[]): KinesisRecord[] {
  return batches.flatMap(({ records }) =>
    Array.from({ length: records.count }, (_, index) => records.at(index)),
  );
}

async function take(
  batches: AsyncIterable<Batch>,
  enough: (batches: readonly Batch[]) => boolean,
): Promise<Batch[]> {
  const taken: Batch[] = [];
  for await (const batch of batches) {
    taken.push(batch);
    if (enough(taken)) break;
  }
  return taken;
}

const text = ({ data }: KinesisRecord) => Buffer.from(data, "base64").toString();

test("all records come in order, over several batches", async () => {
  const streamName = await createStream("polling", 1);
  const words = Array.from({ length: 25 }, (_, index) => `word ${index}`);
  await put(streamName, words);
  const { read } = reader(streamName, { maxRecords: 10 });
  const batches = await take(
    read({ shardId: "shardId-000000000000" }, HORIZON, new AbortController().signal),
    (taken) => recordsOf(taken).length >= 25,
  );
  expect(recordsOf(batches).map(text)).toEqual(words);
  expect(batches.every(({ records }) => records.count <= 10)).toBe(true);
});
