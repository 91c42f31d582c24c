// Shards that hold a lease and do not move, under the built daemon; and children that are merely
// slow.

import { describe, expect, inject, it, onTestFinished } from "vitest";
import type { Position } from "../../src/model/position.ts";
import type { DaemonUnderTest } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";
import { mischief, startMischief } from "../support/mischief.ts";

const of = (daemon: DaemonUnderTest, type: string) =>
  daemon.events.filter(({ event }) => event === type);

describe("a child without activity", () => {
  it("because it is stopped is replaced", async () => {
    const stream = await createStream("stopped", 1);
    const journal = await Journal.create();
    const properties = { progressTimeoutSeconds: 1 };
    const daemon = await startMischief({ stream, journal, properties });
    const { pid } = await daemon.waitFor("childStarted");
    await daemon.waitFor("shardStarted");
    process.kill(Number(pid), "SIGSTOP");
    await put(stream, ["word-0"]);
    await until("the word", async () => (await journal.words()).length === 1);
    expect(of(daemon, "shardStuck")).toMatchObject([
      { waitingFor: "child", step: "restartChild", level: "error" },
    ]);
    expect(of(daemon, "childFailed")[0]?.message).toContain("showed no activity for 1 s");
    expect(of(daemon, "childExited")).toMatchObject([{ pid, signal: "SIGKILL" }]);
    expect(await daemon.stop()).toBe(0);
  });

  it("and another one after it make the worker release the lease", async () => {
    const stream = await createStream("hangs", 1);
    const journal = await Journal.create();
    const properties = { progressTimeoutSeconds: 1 };
    const first = await startMischief({ stream, journal, properties });
    await first.waitFor("shardStarted");
    const second = await startMischief({ stream, journal, properties, env: { MISCHIEF: "off" } });
    await put(stream, ["hang-0"]);
    await until("another worker to process it", async () => (await journal.words()).length === 1);
    expect(of(first, "shardStuck").map(({ step }) => step)).toEqual([
      "restartChild",
      "releaseLease",
    ]);
    expect(of(first, "childFailed").map(({ next }) => next)).toEqual(["restart", "releaseLease"]);
    await second.waitFor("leaseTaken");
    expect(await Promise.all([first.stop(), second.stop()])).toEqual([0, 0]);
  });
});

describe("a child that is slow", () => {
  it.each([
    ["writes on STDERR", "mumble-0"],
    ["uses the CPU", "spin-0"],
  ])("but %s is not replaced, and this is reported once", async (_how, word) => {
    const stream = await createStream("slow", 1);
    const journal = await Journal.create();
    const properties = { progressTimeoutSeconds: 1 };
    const daemon = await startMischief({ stream, journal, properties });
    await put(stream, [word]);
    await until("the word", async () => (await journal.words()).length === 1);
    await daemon.waitFor("checkpointed");
    expect(of(daemon, "childSlow")).toHaveLength(1);
    expect(of(daemon, "shardStuck")).toEqual([]);
    expect(of(daemon, "childStarted")).toHaveLength(1);
    expect(await daemon.stop()).toBe(0);
  });
});

describe("a shard that delivers nothing", () => {
  it("gets a new reader, and then goes to another worker; idle ones do not", async () => {
    const stream = await createStream("silent", 1);
    const journal = await Journal.create();
    const proxy = await startFaultProxy(inject("kinesisUrl"));
    onTestFinished(() => proxy.stop());
    const properties = { progressTimeoutSeconds: 1, kinesisEndpoint: proxy.url };
    const daemon = await startMischief({ stream, journal, properties });
    await put(stream, ["word-0"]);
    await until("the first word", async () => (await journal.words()).length === 1);
    const seen = proxy.count("GetRecords");
    await until("an idle time", () => proxy.count("GetRecords") > seen + 8);
    expect(of(daemon, "shardStuck")).toEqual([]);

    const never = new Promise(() => {});
    proxy.next("GetRecords", { type: "delay", until: never }, 1);
    await put(stream, ["word-1"]);
    await until("the second word", async () => (await journal.words()).length === 2);
    expect(of(daemon, "shardStuck")).toMatchObject([
      { waitingFor: "records", step: "restartFetcher", level: "error" },
    ]);
    expect(of(daemon, "childStarted")).toHaveLength(1);

    proxy.next("GetRecords", { type: "delay", until: never }, 2);
    await put(stream, ["word-2"]);
    await daemon.waitFor("leaseReleased");
    expect(of(daemon, "shardStuck").map(({ step }) => step)).toEqual([
      "restartFetcher",
      "restartFetcher",
      "releaseLease",
    ]);
    await until("the third word", async () => (await journal.words()).length === 3);
    expect(await journal.words()).toEqual(["word-0", "word-1", "word-2"]);
    expect(await daemon.stop()).toBe(0);
  });
});

describe("a shard at LATEST whose child fails before its first checkpoint", () => {
  it("misses no record that arrived since reading began", async () => {
    const stream = await createStream("latest", 1);
    const journal = await Journal.create();
    const properties = { initialPositionInStream: "LATEST", maxChildRestarts: 100 };
    await put(stream, ["too-early"]);
    const daemon = await startMischief({ stream, journal, properties });
    await daemon.waitFor("shardStarted");
    process.kill(Number(of(daemon, "childStarted")[0]?.["pid"]), "SIGKILL");
    await daemon.waitFor("childFailed");
    await put(stream, ["word-0"]);
    await until("the word", async () => (await journal.words()).includes("word-0"));
    expect(await daemon.stop()).toBe(0);
  });

  it("gets again the records that the child had in flight", async () => {
    const stream = await createStream("latest-hand", 1);
    const journal = await Journal.create();
    const properties = { initialPositionInStream: "LATEST", executableName: mischief("--once") };
    await put(stream, ["too-early"]);
    const daemon = await startMischief({ stream, journal, properties });
    await daemon.waitFor("shardStarted");
    // The first reading may not have begun: words come until one has reached the child.
    const places: string[] = [];
    while (of(daemon, "childFailed").length === 0) {
      const [place] = await put(stream, [`poison-${places.length}`]);
      places.push(place?.sequenceNumber ?? "");
    }
    const last = `poison-${places.length - 1}`;
    await until("the last word", async () => (await journal.words()).includes(last));
    const { first } = of(daemon, "childFailed")[0] as unknown as { first: Position };
    const inHand = places.indexOf(first.sequenceNumber);
    expect(await journal.words()).toEqual(
      places.slice(inHand).map((_, index) => `poison-${inHand + index}`),
    );
    expect(await daemon.stop()).toBe(0);
  });
});
