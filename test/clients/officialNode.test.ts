// Runs the unmodified official Node client: its own example, and processors of the new and the old
// style.

import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it, type TestContext } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { type OfficialNode, officialNodeOrReason } from "../support/officialNode.ts";

async function needOfficialNode(context: TestContext): Promise<OfficialNode> {
  const official = await officialNodeOrReason();
  return "missing" in official ? context.skip(official.missing) : official;
}

/**
 * The README's example answers `shardEnded` before its checkpoint is stored, and again afterwards.
 */
const ANSWERS_TWICE = [
  "ack-throttling-at-shard-end",
  "shard-end-after-checkpoint",
  "shard-end-without-records",
  "shard-end",
];

describe.each(["example", "newStyle", "oldStyle"] as const)("aws-kcl, processor: %s,", (style) => {
  it("passes the transcripts", { timeout: 180_000 }, async (context) => {
    const official = await needOfficialNode(context);
    const excepted = style === "example" ? ANSWERS_TWICE : [];
    await expectConformance([process.execPath, official[style]], {}, excepted);
  });

  it("runs under the daemon through a shard's end to a graceful stop", async (context) => {
    const official = await needOfficialNode(context);
    const stream = await createStream("official-node", 1);
    const table = uniqueName("official-node");
    await put(stream, ["cat", "dog", "cat"]);
    const daemon = await startDaemon({
      properties: {
        executableName: `${process.execPath} ${official[style]}`,
        streamName: stream,
        applicationName: table,
        shardSyncIntervalMillis: 500,
        parentShardPollIntervalMillis: 200,
      },
    });
    await daemon.waitFor("checkpointed");
    const [parent] = await shardsOf(stream);
    await split(stream, parent?.ShardId);
    const later = await put(stream, ["bird", "fish", "ant", "bee", "cow", "eel", "fox", "gnu"]);
    const lastByShard = new Map(
      later.map(({ shardId, sequenceNumber }) => [shardId, sequenceNumber]),
    );
    expect(lastByShard.has(parent?.ShardId ?? "")).toBe(false);
    // It checkpoints each batch and the end of the shard. Only then may the child shards start.
    await until("the last record of each child to be checkpointed", async () => {
      const leases = await leaseItems(table);
      const stored = [...lastByShard].map(([shardId]) => leases.get(shardId)?.["checkpoint"]);
      return stored.join() === [...lastByShard.values()].join();
    });
    expect(await daemon.stop()).toBe(0);
    expect(
      (await leaseItems(table)).get(parent?.ShardId ?? "")?.["checkpoint"] ?? "SHARD_END",
    ).toBe("SHARD_END");
  });
});

async function split(stream: string, shardId: string | undefined): Promise<void> {
  const kinesis = testKinesis();
  const middle = (2n ** 127n).toString();
  await kinesis.send(
    new SplitShardCommand({
      StreamName: stream,
      ShardToSplit: shardId,
      NewStartingHashKey: middle,
    }),
  );
  kinesis.destroy();
  await streamActive(stream);
}
