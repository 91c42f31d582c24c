// Children that fail in every way, under the built daemon: each is replaced, and no other shard is
// affected.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { type DaemonUnderTest, startDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, testKinesis, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, mischief, SHARDS, startMischief } from "../support/mischief.ts";
import { processesWith } from "../support/processes.ts";

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `word-${from + index}`);

const failures = (daemon: DaemonUnderTest) =>
  daemon.events.filter(({ event }) => event === "childFailed");

/** The children of one shard, in order. */
const childrenOf = (daemon: DaemonUnderTest, shardId: string) =>
  daemon.events.filter((event) => event.event === "childStarted" && event.shardId === shardId);

const wordsOf = async (journal: Journal, shardId: string) =>
  ((await journal.read()).get(shardId) ?? []).flatMap(({ words }) => words ?? []);

describe("a child that fails", () => {
  it.each([
    ["exits with a code", "poison-1", {}, "exited with code 3"],
    ["exits as if it were done", "vanish-1", {}, "exited with code 0"],
    ["closes its STDOUT", "shut-1", {}, "closed its STDOUT"],
    ["answers what was not asked", "babble-1", {}, 'answered "shutdownRequested"'],
    ["does not answer in time", "hang-1", { timeoutInSeconds: 1 }, "sent nothing for 1 s"],
  ])(
    "because it %s is replaced at the last checkpoint, and no other shard is affected",
    async (_how, word, properties, message) => {
      const stream = await createStream("supervised", 2);
      const journal = await Journal.create();
      const daemon = await startMischief({
        stream,
        journal,
        properties: { executableName: mischief("--once"), ...properties },
      });
      await put(stream, numbered(5), keyOfShard(0));
      await put(stream, numbered(5, 100), keyOfShard(1));
      await until("the first words", async () => (await journal.words()).length === 10);
      await put(stream, [word, ...numbered(5, 5)], keyOfShard(0));
      await put(stream, numbered(5, 105), keyOfShard(1));
      await until("all words", async () => (await journal.words()).length === 21);
      expect(await daemon.stop()).toBe(0);

      expect(await wordsOf(journal, SHARDS[0])).toEqual([...numbered(5), word, ...numbered(5, 5)]);
      expect(await wordsOf(journal, SHARDS[1])).toEqual(numbered(10, 100));
      expect(childrenOf(daemon, SHARDS[0])).toHaveLength(2);
      expect(childrenOf(daemon, SHARDS[1])).toHaveLength(1);
      const [failure, ...more] = failures(daemon);
      expect(more).toEqual([]);
      expect(failure).toMatchObject({
        shardId: SHARDS[0],
        attempt: 1,
        next: "restart",
        level: "error",
      });
      expect(failure?.message).toContain(message);
    },
  );

  it("because it was killed is replaced, and the event has all details", async () => {
    const stream = await createStream("killed", 1);
    const journal = await Journal.create();
    const daemon = await startMischief({ stream, journal });
    const places = await put(stream, ["word-0", "mumble-1", "word-2"]);
    await daemon.waitFor(({ message }) => message.includes("still at it"));
    process.kill(Number(childrenOf(daemon, SHARDS[0])[0]?.["pid"]), "SIGKILL");
    await until("all words", async () => (await journal.words()).length === 3);
    expect(await daemon.stop()).toBe(0);
    const [failure] = failures(daemon);
    expect(failure).toMatchObject({
      records: 3,
      first: { sequenceNumber: places[0]?.sequenceNumber },
      last: { sequenceNumber: places[2]?.sequenceNumber },
    });
    expect(failure?.message).toContain("was ended by SIGKILL");
    // What the child wrote is logged as it came, and not quoted again with the failure.
    const written = daemon.events.filter(({ message }) => message.includes("still at it"));
    expect(new Set(written.map(({ event }) => event))).toEqual(new Set(["childOutput"]));
    expect(failure?.message).toContain("mischief.mjs");
  });
});

describe("onChildFailure", () => {
  it("= exit ends the daemon with code 1 and reports the child's command, exit and output", async () => {
    const stream = await createStream("exit", 2);
    const journal = await Journal.create();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { onChildFailure: "exit", shutdownGraceMillis: 5000 },
    });
    await put(stream, ["poison-1"], keyOfShard(0));
    expect(await daemon.ended).toBe(1);
    const said = daemon.otherLines.join("\n");
    expect(said).toContain("mischief.mjs");
    expect(said).toContain("exited with code 3");
    // What the child wrote stands in the log, once.
    const written = daemon.events.filter(({ message }) => message.includes("cannot digest"));
    expect(written.map(({ event }) => event)).toEqual(["childOutput"]);
    expect(said).not.toContain("cannot digest");
    expect(failures(daemon)[0]).toMatchObject({ next: "exit" });
    for (const lease of (await leaseItems(stream)).values()) {
      expect(lease).not.toHaveProperty("leaseOwner");
    }
  });

  it("= releaseLease lets another daemon take the shard", async () => {
    const stream = await createStream("release", 1);
    const journal = await Journal.create();
    const properties = { onChildFailure: "releaseLease" };
    const first = await startMischief({ stream, journal, properties });
    await first.waitFor("shardStarted");
    const second = await startMischief({ stream, journal, properties, env: { MISCHIEF: "off" } });
    await put(stream, ["poison-1"]);
    await until("the word to be processed", async () => (await journal.words()).length === 1);
    await second.waitFor("leaseTaken");
    expect(failures(first)[0]).toMatchObject({ next: "releaseLease" });
    expect(failures(second)).toEqual([]);
    expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  });
});

describe("a child that fails again and again", () => {
  it("makes the worker release the lease when its restarts are used up, and nothing is skipped", async () => {
    const stream = await createStream("budget", 2);
    const journal = await Journal.create();
    const daemon = await startMischief({ stream, journal, properties: { maxChildRestarts: 2 } });
    await put(stream, ["poison-1", "word-1"], keyOfShard(0));
    await put(stream, ["word-2"], keyOfShard(1));
    await daemon.waitFor("leaseReleased");
    const released = daemon.events.findIndex(({ event }) => event === "leaseReleased");
    const before = daemon.events.slice(0, released).filter(({ event }) => event === "childFailed");
    expect(before.map(({ next }) => next)).toEqual(["restart", "restart", "releaseLease"]);
    expect(before.at(-1)).toMatchObject({ level: "error", attempt: 3 });
    // Alone as it is, it tries again after a rest, with a new budget.
    await until("another attempt", () => failures(daemon).length > 3);
    expect(await daemon.stop()).toBe(0);
    expect(await journal.words()).toEqual(["word-2"]);
    const checkpoint = (await leaseItems(stream)).get(SHARDS[0])?.["checkpoint"];
    expect(checkpoint).toBe("TRIM_HORIZON");
  });

  it("leaves no process, no zombie and no descriptor behind", async () => {
    // Each record costs one child to find and one to condemn.
    const records = Number(process.env["RESTARTS"] ?? 200) / 2;
    const stream = await createStream("restarts", 1);
    const file = join(await temporaryFolder(), "dead-letters.ndjson");
    const mark = `RESTARTS_OF=${stream}`;
    const daemon = await startDaemon({
      properties: {
        executableName: fileURLToPath(
          new URL("../fixtures/children/dies-of-records.sh", import.meta.url),
        ),
        applicationName: stream,
        streamName: stream,
        bisectBatchOnFunctionError: true,
        maximumRetryAttempts: 0,
        onFailureDestination: `file:${file}`,
      },
      env: { RESTARTS_OF: stream },
    });
    await daemon.waitFor("shardStarted");
    const before = await descriptors(daemon.pid);
    await put(stream, numbered(records));
    const buried = () => daemon.events.filter(({ event }) => event === "recordsBuried").length;
    await until("all to be buried", () => buried() === records, 300_000);
    await until("the last child to wait for work", async () => {
      const waiting = await processesWith(mark);
      return waiting.length === 2 && waiting.includes(daemon.pid);
    });
    expect(failures(daemon).length).toBeGreaterThanOrEqual(2 * records - 1);
    expect(await zombiesOf(daemon.pid)).toEqual([]);
    // A few connections come and go; a leak would show once for each child.
    expect(await descriptors(daemon.pid)).toBeLessThan(before + records / 2);
    expect(await daemon.stop()).toBe(0);
    expect(await processesWith(mark)).toEqual([]);
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    expect(new Set(lines.map((line) => JSON.parse(line).sequenceNumber)).size).toBe(records);
  }, 360_000);
});

describe("a processor that forgets to checkpoint the end of its shard", () => {
  it("is reported as an error, replaced and asked again, so that the child shards can begin", async () => {
    const stream = await createStream("forgetful", 1);
    const journal = await Journal.create();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { executableName: mischief("--once", "--forgets-the-end") },
    });
    await put(stream, numbered(5));
    await until("the words", async () => (await journal.words()).length === 5);
    const client = testKinesis();
    await client.send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: SHARDS[0],
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    const failure = await daemon.waitFor("childFailed");
    expect(failure).toMatchObject({ next: "restart", error: { name: "ShardEndNotCheckpointed" } });
    expect(failure.message).toContain("without a checkpoint");
    await until("the children to begin", async () => (await journal.read()).size === 3);
    expect(await daemon.stop()).toBe(0);
    expect((await leaseItems(stream)).get(SHARDS[0])?.["checkpoint"]).toBe("SHARD_END");
    expect(await wordsOf(journal, SHARDS[0])).toEqual(numbered(5));
  });
});

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Processes that have ended and that nobody has asked about. */
async function zombiesOf(parent: number): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")),
  );
  return states.flatMap((stat) => {
    const [state, parentOf] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" && Number(parentOf) === parent ? [Number.parseInt(stat, 10)] : [];
  });
}
