// The daemon's main job, on the built program, real emulators and real children.

import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { laterRequest, startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `word-${from + index}`);

async function allWords(journal: Journal, count: number): Promise<readonly string[]> {
  await until(`${count} words`, async () => (await journal.words()).length >= count);
  return (await journal.words()).toSorted();
}

describe("the daemon", () => {
  it("delivers every record of every shard to a child of its own, and releases its leases at the end", async () => {
    const stream = await createStream("spine", 3);
    const journal = await Journal.create();
    const words = numbered(60);
    await put(stream, words);
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
      },
      env: journal.env,
    });
    expect(await allWords(journal, 60)).toEqual(words.toSorted());
    expect(await daemon.stop()).toBe(0);

    const entries = await journal.read();
    expect(new Set([...entries.values()].map(([first]) => first?.pid)).size).toBe(3);
    for (const [shardId] of entries) {
      const actions = await journal.actions(shardId);
      expect(actions[0]).toBe("initialize");
      expect(actions.slice(-4)).toEqual(["shutdownRequested", "acknowledged", "leaseLost", "end"]);
    }
    const leases = await leaseItems(stream);
    expect(leases.size).toBe(3);
    for (const lease of leases.values()) {
      expect(lease).not.toHaveProperty("leaseOwner");
      expect(lease["checkpoint"]).toMatch(/^\d+$/);
    }
    expect(daemon.otherLines).toEqual([]);
  });

  it("continues after the last checkpoint when it is started again", async () => {
    const stream = await createStream("again", 1);
    const journal = await Journal.create();
    const properties = {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
    };
    await put(stream, numbered(10));
    const first = await startDaemon({ properties, env: journal.env });
    await allWords(journal, 10);
    expect(await first.stop()).toBe(0);
    await put(stream, numbered(10, 10));
    const second = await startDaemon({ properties, env: journal.env });
    expect(await allWords(journal, 20)).toEqual(numbered(20).toSorted());
    expect(await second.stop()).toBe(0);
    expect(await journal.words()).toHaveLength(20);
  });

  it("finishes a split shard before its children begin", async () => {
    const stream = await createStream("split", 1);
    const journal = await Journal.create();
    await put(stream, numbered(10));
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
      },
      env: journal.env,
    });
    await allWords(journal, 10);
    const client = testKinesis();
    await client.send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: "shardId-000000000000",
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    await until("three shards", async () => (await shardsOf(stream)).length === 3);
    await put(stream, numbered(30, 10));
    expect(await allWords(journal, 40)).toEqual(numbered(40).toSorted());
    expect(await daemon.stop()).toBe(0);

    const entries = await journal.read();
    const parent = entries.get("shardId-000000000000") ?? [];
    expect(parent.map(({ action }) => action).slice(-3)).toEqual([
      "shardEnded",
      "acknowledged",
      "end",
    ]);
    const parentEnded = parent.find(({ action }) => action === "shardEnded")?.at ?? 0;
    for (const child of ["shardId-000000000001", "shardId-000000000002"]) {
      const [initialize] = entries.get(child) ?? [];
      expect(initialize).toMatchObject({ action: "initialize", sequenceNumber: "TRIM_HORIZON" });
      expect(initialize?.at).toBeGreaterThanOrEqual(parentEnded);
    }
    expect((await leaseItems(stream)).get("shardId-000000000000")?.["checkpoint"]).toBe(
      "SHARD_END",
    );
  });

  it("ends at once on a second signal", async () => {
    const stream = await createStream("hurry", 1);
    const daemon = await startDaemon({
      properties: {
        executableName: "sleep 600",
        applicationName: stream,
        streamName: stream,
        shutdownGraceMillis: 600_000,
      },
    });
    const { pid } = await daemon.waitFor("childStarted");
    daemon.signal("SIGTERM");
    await daemon.waitFor("stopRequested");
    await laterRequest();
    daemon.signal("SIGTERM");
    expect(await daemon.ended).toBe(143);
    expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
  });

  it("kills a child that does not end within the grace period", async () => {
    const stream = await createStream("grace", 1);
    const daemon = await startDaemon({
      properties: {
        executableName: "sleep 600",
        applicationName: stream,
        streamName: stream,
        shutdownGraceMillis: 1000,
      },
    });
    const { pid } = await daemon.waitFor("childStarted");
    expect(await daemon.stop()).toBe(1);
    expect(daemon.events.map(({ event }) => event)).toContain("graceExceeded");
    expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
    for (const lease of (await leaseItems(stream)).values()) {
      expect(lease).not.toHaveProperty("leaseOwner");
    }
  });
});
