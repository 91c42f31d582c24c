// The lanes of a stream when its shards change: whatever waits keeps the order of its key.

import { expect, it } from "vitest";
import { Lanes } from "../../src/producer/lanes.ts";
import { type Envelope, type Pending, payloadOf } from "../../src/producer/record.ts";
import { DEFAULT_SETTINGS } from "../../src/producer/settings.ts";
import { type OpenShard, ShardMap } from "../../src/producer/shardMap.ts";
import { VirtualClock } from "./serviceModel.ts";

const LAST = 2n ** 128n - 1n;
const shard = (shardId: string, first: bigint, last: bigint): OpenShard => ({
  shardId,
  hashKeyRange: { startingHashKey: String(first), endingHashKey: String(last) },
});
const whole = [shard("shard-0", 0n, LAST)];
const halves = [shard("shard-1", 0n, LAST / 2n), shard("shard-2", LAST / 2n + 1n, LAST)];

const pending = (data: Buffer): Pending => ({
  partitionKey: "key",
  explicitHashKey: undefined,
  arrivedMs: 0,
  start: 0,
  length: data.length,
  earlier: [],
  settle: () => {},
});

const textsOf = (envelopes: readonly Envelope[]) =>
  envelopes.flatMap((each) => each.records.map((record) => String(payloadOf(each, record))));

it.each([
  { change: "move to another shard", shards: halves },
  { change: "stay", shards: whole },
])("keeps what was collected before its equals that wait, when both $change", ({ shards }) => {
  const clock = new VirtualClock();
  const lanes = new Lanes({ settings: DEFAULT_SETTINGS, clock, random: () => 0 });
  lanes.use(new ShardMap(whole), []);
  for (const text of ["1", "2", "3"]) lanes.add(pending(Buffer.from(text)), Buffer.from(text));
  const [lane] = lanes.all;
  lane?.flush(0);
  const aggregate = lane?.take(0);
  if (!lane || !aggregate) throw new Error("nothing to take");
  lanes.inFlight.remove(aggregate);
  // The service cannot accept it: its pieces have the same place in the order.
  lanes.remakeAll([aggregate], { maxBytes: 0, maxCount: 1 });
  const collected = lane.take(0);
  if (!collected) throw new Error("nothing to take");
  lanes.inFlight.remove(collected);
  lanes.use(new ShardMap(shards), [collected]);
  expect(textsOf(lanes.drain())).toEqual(["1", "2", "3"]);
});
