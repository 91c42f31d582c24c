// How the daemon ends after a fatal error, or when a child does not end in order: the log reports
// it at once, the other shards stop in order within the grace period, and the exit code shows it.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DeleteTableCommand } from "@aws-sdk/client-dynamodb";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { type DaemonUnderTest, laterRequest } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  testDynamo,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, mischief, SHARDS, startMischief } from "../support/mischief.ts";

const indexOf = (daemon: DaemonUnderTest, event: string) =>
  daemon.events.findLastIndex((each) => each.event === event);

/** Every child has ended before the daemon says that it has stopped. */
function expectChildrenEndedFirst(daemon: DaemonUnderTest): void {
  const started = daemon.events.filter(({ event }) => event === "childStarted");
  const ended = daemon.events.filter(({ event }) => event === "childExited");
  expect(ended).toHaveLength(started.length);
  expect(indexOf(daemon, "childExited")).toBeLessThan(indexOf(daemon, "daemonStopped"));
}

describe("after a fatal failure", () => {
  it("the daemon reports it at once, gives the other children their grace period, ends them, and exits with 1", async () => {
    const stream = await createStream("fatal", 2);
    const journal = await Journal.create();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { onChildFailure: "exit", shutdownGraceMillis: 2000 },
    });
    await put(stream, ["hang-1"], keyOfShard(1));
    await daemon.waitFor(({ event, shardId }) => event === "fetched" && shardId === SHARDS[1]);
    await put(stream, ["poison-1"], keyOfShard(0));
    const failed = await daemon.waitFor("daemonFailed");
    expect(failed).toMatchObject({ level: "error", graceMs: 2000 });
    expect(failed.message).toContain(SHARDS[0]);
    expect(failed.message).toContain("exited with code 3");
    expect(failed.message).toContain("onChildFailure = restart");
    expect(await daemon.ended).toBe(1);
    expect(indexOf(daemon, "daemonFailed")).toBeLessThan(indexOf(daemon, "graceExceeded"));
    expectChildrenEndedFirst(daemon);
    for (const lease of (await leaseItems(stream)).values()) {
      expect(lease).not.toHaveProperty("leaseOwner");
    }
  });

  it("the other children end gracefully if they can, and the failure is reported once", async () => {
    const stream = await createStream("fatal-order", 2);
    const journal = await Journal.create();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { onChildFailure: "exit" },
    });
    await put(stream, ["poison-1", "word-2"], keyOfShard(0));
    expect(await daemon.ended).toBe(1);
    expect(daemon.events.filter(({ event }) => event === "daemonFailed")).toHaveLength(1);
    expect(daemon.events.filter(({ event }) => event === "graceExceeded")).toEqual([]);
    expect(daemon.events.at(-1)).toMatchObject({ event: "daemonStopped", exitCode: 1 });
    const other = (await journal.read()).get(SHARDS[1]) ?? [];
    expect(other.map(({ action }) => action)).toContain("shutdownRequested");
  });

  it("such as a deleted lease table, a child that never answers delays the end by the grace period at most", async () => {
    const stream = await createStream("fatal-table", 1);
    const journal = await Journal.create();
    const properties = { shutdownGraceMillis: 2000, failoverTimeMillis: 1500 };
    const daemon = await startMischief({ stream, journal, properties });
    await put(stream, ["hang-1"]);
    await daemon.waitFor("fetched");
    await testDynamo().send(new DeleteTableCommand({ TableName: stream }));
    expect((await daemon.waitFor("daemonFailed")).message).toContain("Restore the table");
    expect(await daemon.ended).toBe(1);
    expectChildrenEndedFirst(daemon);
  });
});

describe("a child that should stop", () => {
  const go = (journal: Journal) => writeFile(join(journal.folder, "go"), "");

  it("and dies instead of answering shutdownRequested makes the daemon exit with 1 and report it", async () => {
    const stream = await createStream("no-goodbye", 1);
    const journal = await Journal.create();
    await go(journal);
    const executableName = mischief("--dies-at=shutdownRequested");
    const daemon = await startMischief({ stream, journal, properties: { executableName } });
    await daemon.waitFor("shardStarted");
    expect(await daemon.stop()).toBe(1);
    expect(daemon.events.find(({ event }) => event === "childFailed")).toMatchObject({
      next: "stop",
    });
    const stopped = daemon.events.at(-1);
    expect(stopped).toMatchObject({ event: "daemonStopped", exitCode: 1, goodbyesMissed: 1 });
    expect(stopped?.message).toContain("1 child failed while stopping");
  });

  it("and dies at the end of its shard meanwhile has the same effect", async () => {
    const stream = await createStream("no-end", 1);
    const journal = await Journal.create();
    const executableName = mischief("--dies-at=shardEnded");
    const daemon = await startMischief({ stream, journal, properties: { executableName } });
    await daemon.waitFor("shardStarted");
    await testKinesis().send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: SHARDS[0],
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    await until("the end of the shard", async () =>
      (await journal.actions(SHARDS[0])).includes("shardEnded"),
    );
    daemon.signal("SIGTERM");
    await daemon.waitFor("stopRequested");
    await go(journal);
    expect(await daemon.ended).toBe(1);
    expect(daemon.events.at(-1)).toMatchObject({ event: "daemonStopped", goodbyesMissed: 1 });
  });

  it("and had failed before, but ends gracefully, leaves exit code 0", async () => {
    const stream = await createStream("goodbye", 1);
    const journal = await Journal.create();
    const executableName = mischief("--once");
    const daemon = await startMischief({ stream, journal, properties: { executableName } });
    await put(stream, ["poison-1"]);
    await daemon.waitFor("checkpointed");
    expect(await daemon.stop()).toBe(0);
  });
});

describe("at a second signal", () => {
  it('"stopped" comes after the end of the last child', async () => {
    const stream = await createStream("second", 1);
    const journal = await Journal.create();
    const daemon = await startMischief({ stream, journal });
    await put(stream, ["hang-1"]);
    await daemon.waitFor("fetched");
    daemon.signal("SIGTERM");
    await daemon.waitFor("stopRequested");
    await laterRequest();
    daemon.signal("SIGTERM");
    expect(await daemon.ended).toBe(143);
    expectChildrenEndedFirst(daemon);
  });
});
