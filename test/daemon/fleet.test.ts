// Several daemons on one stream and one table: they share the shards, and take over those of a dead
// daemon.

import { describe, expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const words = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `word-${from + index}`);

/** How many leases each worker owns. */
async function owned(tableName: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const { leaseOwner = "nobody" } of (await leaseItems(tableName)).values()) {
    counts[leaseOwner] = (counts[leaseOwner] ?? 0) + 1;
  }
  return counts;
}

describe("a fleet", () => {
  it("gives a worker that joins its share, and loses no word when a worker is killed", async () => {
    const stream = await createStream("fleet", 4);
    const journal = await Journal.create();
    const start = (workerId: string) =>
      startDaemon({
        properties: {
          executableName: journal.command(),
          applicationName: stream,
          streamName: stream,
          failoverTimeMillis: 4000,
          workerId,
        },
        env: journal.env,
      });
    const first = await start("first");
    await until("the first to own all", async () => (await owned(stream))["first"] === 4);
    const second = await start("second");
    await until("an even share", async () => {
      const { first: a, second: b } = await owned(stream);
      return a === 2 && b === 2;
    });
    await put(stream, words(0, 100));
    first.signal("SIGKILL");
    await put(stream, words(100, 200));
    await until("all words", async () => new Set(await journal.words()).size === 200);
    expect([...new Set(await journal.words())].toSorted()).toEqual(words(0, 200).toSorted());
    expect(await owned(stream)).toEqual({ second: 4 });
    expect(await second.stop()).toBe(0);
    expect(await owned(stream)).toEqual({ nobody: 4 });
  });

  it("hands shards to a worker that joins, and those of a stopped worker to its peer, and delivers no word twice", async () => {
    const stream = await createStream("handover", 4);
    const journal = await Journal.create();
    const start = (workerId: string) =>
      startDaemon({
        properties: {
          executableName: journal.command("batch"),
          applicationName: stream,
          streamName: stream,
          workerId,
        },
        env: journal.env,
      });
    const first = await start("first");
    await until("the first to own all", async () => (await owned(stream))["first"] === 4);
    await put(stream, words(0, 50));
    const second = await start("second");
    // Two shards change hands on the way.
    await put(stream, words(50, 100));
    await until("an even share", async () => (await owned(stream))["second"] === 2);
    await until("all words", async () => (await journal.words()).length >= 100);
    const taken = () => second.events.filter(({ event }) => event === "leaseTaken");
    await until("the second to have told of both", () => taken().length === 2);
    expect(taken().map(({ message }) => message)).toEqual(
      Array(2).fill("Took the lease: first handed it over."),
    );
    expect(await first.stop()).toBe(0);
    await put(stream, words(100, 200));
    await until("all words", async () => (await journal.words()).length >= 200);
    expect((await journal.words()).toSorted()).toEqual(words(0, 200).toSorted());
    expect(await second.stop()).toBe(0);
  });
});
