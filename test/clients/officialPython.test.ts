// Runs the official library and its sample application under our daemon, byte by byte as published.

import { fileURLToPath } from "node:url";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { expectConformance } from "../support/conformance.ts";
import { type DaemonUnderTest, startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  type PutRecord,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { officialKclpyOrReason } from "../support/python.ts";

/** The first test that needs the library downloads it. */
const INSTALL_MS = 180_000;
const WORDS = ["cat", "dog", "bird", "fish"];

it("amazon_kclpy's sample runs unmodified, through a shard's end to a graceful stop", {
  timeout: INSTALL_MS,
}, async (ctx) => {
  const kclpy = await officialKclpyOrReason();
  if ("missing" in kclpy) return ctx.skip(kclpy.missing);
  const stream = await createStream("official-python", 2);
  const table = uniqueName("official-python");
  await put(
    stream,
    Array.from({ length: 40 }, (_, i) => WORDS[i % WORDS.length] ?? ""),
  );

  const daemon = await startDaemon({
    properties: {
      executableName: `${kclpy.python.command} ${kclpy.sampleApp}`,
      streamName: stream,
      applicationName: table,
      processingLanguage: "python/3.8",
      shardSyncIntervalMillis: 500,
      parentShardPollIntervalMillis: 200,
    },
    env: { PYTHONPATH: kclpy.libraryPath, PYTHONDONTWRITEBYTECODE: "1" },
  });
  await daemon.waitFor("checkpointed");

  // The sample checkpoints at the end of a shard. Only then may the child shards start.
  const [parent] = await shardsOf(stream);
  const kinesis = testKinesis();
  const middle = (2n ** 126n).toString();
  await kinesis.send(
    new SplitShardCommand({
      StreamName: stream,
      ShardToSplit: parent?.ShardId,
      NewStartingHashKey: middle,
    }),
  );
  kinesis.destroy();
  await streamActive(stream);
  const later = await put(
    stream,
    Array.from({ length: 40 }, (_, i) => WORDS[i % WORDS.length] ?? ""),
  );
  const lastByShard = lastSequenceNumbers(later);
  expect(lastByShard.has(parent?.ShardId ?? "")).toBe(false);
  expect(lastByShard.size).toBe(3);
  for (const [shardId, last] of lastByShard) {
    await daemon.waitFor(
      (event) =>
        event.event === "batchProcessed" &&
        event.shardId === shardId &&
        JSON.stringify(event).includes(last),
    );
  }
  await until("the parent's lease to say SHARD_END, or to be cleaned up", async () => {
    const lease = (await leaseItems(table)).get(parent?.ShardId ?? "");
    return lease === undefined || lease["checkpoint"] === "SHARD_END";
  });
  expect(await daemon.stop()).toBe(0);
  expect(seenIn(daemon.events)).toBe(80);
  // On a shutdown request, the sample checkpoints its position: the last record of each shard.
  const leases = await leaseItems(table);
  for (const [shardId, sequenceNumber] of lastByShard) {
    expect(leases.get(shardId)?.["checkpoint"], shardId).toBe(sequenceNumber);
  }
});

/**
 * The calls that each style of processor receives at the end of a shard and when its lease is lost.
 */
const STYLES = [
  { style: "v1", shardEnd: "shutdown TERMINATE", leaseLost: "shutdown ZOMBIE" },
  { style: "v2", shardEnd: "shutdown TERMINATE", leaseLost: "shutdown ZOMBIE" },
  { style: "v3", shardEnd: "shard_ended", leaseLost: "lease_lost" },
] as const;

describe.each(STYLES)("amazon_kclpy, processor: $style,", ({ style, shardEnd, leaseLost }) => {
  const program = fileURLToPath(
    new URL(`../fixtures/processors/kclpy_${style}.py`, import.meta.url),
  );

  it("passes the transcripts", { timeout: 240_000 }, async (ctx) => {
    const kclpy = await officialKclpyOrReason();
    if ("missing" in kclpy) return ctx.skip(kclpy.missing);
    await expectConformance([kclpy.python.command, program], { PYTHONPATH: kclpy.libraryPath });
  });

  it("receives every action, through a shard's end to a graceful stop", async (ctx) => {
    const kclpy = await officialKclpyOrReason();
    if ("missing" in kclpy) return ctx.skip(kclpy.missing);
    const stream = await createStream("kclpy", 1);
    await put(stream, ["cat"], "pets");
    const daemon = await startDaemon({
      properties: {
        executableName: `${kclpy.python.command} ${program}`,
        streamName: stream,
        applicationName: uniqueName("kclpy"),
        shardSyncIntervalMillis: 500,
        parentShardPollIntervalMillis: 200,
      },
      env: { PYTHONPATH: kclpy.libraryPath, PYTHONDONTWRITEBYTECODE: "1" },
    });
    const told = (shardId: string, line: string) =>
      daemon.waitFor(
        (event) =>
          event.event === "childOutput" &&
          event.shardId === shardId &&
          event["line"] === `${style} ${line}`,
      );
    const [parent, first, second] = [0, 1, 2].map((index) => `shardId-00000000000${index}`);
    if (!parent || !first || !second) throw new Error("three shards");
    await told(parent, `initialize ${parent}`);
    await told(parent, style === "v1" ? "record pets Y2F0" : "record pets cat");
    await split(stream, parent);
    await told(parent, shardEnd);
    for (const shardId of [first, second]) await told(shardId, `initialize ${shardId}`);
    await Promise.all([first, second].map((shardId) => started(daemon, shardId)));
    expect(await daemon.stop()).toBe(0);
    for (const shardId of [first, second]) {
      await told(shardId, "shutdown_requested");
      await told(shardId, leaseLost);
    }
    expect(daemon.events.filter(({ event }) => event === "childFailed")).toEqual([]);
  });
});

/** Its sample checkpoints an empty batch at the word "None". */
it("amazon_kclpy's sample passes the transcripts but one", { timeout: 300_000 }, async (ctx) => {
  const kclpy = await officialKclpyOrReason();
  if ("missing" in kclpy) return ctx.skip(kclpy.missing);
  const command = [kclpy.python.command, kclpy.sampleApp] as const;
  await expectConformance(command, { PYTHONPATH: kclpy.libraryPath }, ["empty-batch"]);
});

/** The official library for KCL 1.x: its last version, and one without `shutdownRequested`. */
describe.each(["1.5.0", "1.3.1"] as const)("amazon_kclpy %s's sample, unmodified,", (version) => {
  it("goes through a shard's end to a stop", { timeout: INSTALL_MS }, async (ctx) => {
    const kclpy = await officialKclpyOrReason(version);
    if ("missing" in kclpy) return ctx.skip(kclpy.missing);
    const stream = await createStream("kclpy1", 1);
    const table = uniqueName("kclpy1");
    await put(stream, WORDS);
    const daemon = await startDaemon({
      properties: {
        executableName: `${kclpy.python.command} ${kclpy.sampleApp}`,
        streamName: stream,
        applicationName: table,
        shardSyncIntervalMillis: 500,
        parentShardPollIntervalMillis: 200,
        cleanupLeasesUponShardCompletion: false,
      },
      env: { PYTHONPATH: kclpy.libraryPath, PYTHONDONTWRITEBYTECODE: "1" },
    });
    const [parent = "", first = "", second = ""] = [0, 1, 2].map((i) => `shardId-00000000000${i}`);
    await started(daemon, parent);
    await split(stream, parent);
    for (const shardId of [first, second]) await started(daemon, shardId);
    expect((await leaseItems(table)).get(parent)?.["checkpoint"]).toBe("SHARD_END");
    await put(stream, [...WORDS, ...WORDS]);
    const words = () =>
      daemon.events
        .filter(({ event, shardId }) => event === "batchProcessed" && shardId !== parent)
        .reduce((sum, event) => sum + Number(event["records"]), 0);
    await until("the words to be processed", async () => words() === 2 * WORDS.length);
    await daemon.stop();
    const failed = daemon.events.filter(({ event }) => event === "childFailed");
    expect(failed.filter(({ shardId }) => shardId === parent)).toHaveLength(1);
    const changed = daemon.events.filter(({ event }) => event === "dialectChanged");
    expect(changed[0]).toMatchObject({ to: "kcl1", sign: "shardEnded" });
  });

  it("passes the transcripts in its dialect", { timeout: 300_000 }, async (ctx) => {
    const kclpy = await officialKclpyOrReason(version);
    if ("missing" in kclpy) return ctx.skip(kclpy.missing);
    const command = [kclpy.python.command, kclpy.sampleApp] as const;
    const env = { PYTHONPATH: kclpy.libraryPath };
    await expectConformance(command, env, [], "kcl1");
  });
});

function started(daemon: DaemonUnderTest, shardId: string) {
  return daemon.waitFor((event) => event.event === "shardStarted" && event.shardId === shardId);
}

async function split(stream: string, shardId: string): Promise<void> {
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

function lastSequenceNumbers(records: readonly PutRecord[]): ReadonlyMap<string, string> {
  const last = new Map<string, bigint>();
  for (const { shardId, sequenceNumber } of records) {
    const seen = last.get(shardId) ?? 0n;
    if (BigInt(sequenceNumber) > seen) last.set(shardId, BigInt(sequenceNumber));
  }
  return new Map([...last].map(([shardId, number]) => [shardId, number.toString()]));
}

/** The sample writes one "Record (…)" for each record, without line ends between them. */
function seenIn(events: readonly { readonly event: string; readonly line?: unknown }[]): number {
  const sequenceNumbers = events
    .filter((event) => event.event === "childOutput")
    .flatMap((event) => [...String(event.line).matchAll(/Sequence Number: (\d+)/g)])
    .map((match) => match[1]);
  return new Set(sequenceNumbers).size;
}
