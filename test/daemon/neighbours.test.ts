// One shard that is slow, huge or dead under the built daemon: the others are not affected, and
// none of its own records is lost.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, it, onTestFinished } from "vitest";
import { laterRequest } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, SHARDS, startMischief } from "../support/mischief.ts";

const [SICK, HEALTHY] = SHARDS;

/** What a shard's child has been given and has answered, in order. */
async function wordsOf(journal: Journal, shardId: string): Promise<readonly string[]> {
  return ((await journal.read()).get(shardId) ?? []).flatMap(({ words }) => words ?? []);
}

/** Word after word, each put when the one before has come: whatever is held up holds this up. */
async function flows(stream: string, journal: Journal, name: string): Promise<void> {
  const already = (await wordsOf(journal, HEALTHY)).length;
  for (let count = 1; count <= 10; count += 1) {
    await put(stream, [`${name}-${count}`], keyOfShard(1));
    await until(`${name} ${count} of the healthy shard`, async () => {
      return (await wordsOf(journal, HEALTHY)).length === already + count;
    });
  }
}

it("a child that never answers delays no other shard", async () => {
  const stream = await createStream("dead", 2);
  const journal = await Journal.create();
  await put(stream, ["hang-0", "never"], keyOfShard(0));
  const daemon = await startMischief({ stream, journal });
  await daemon.waitFor(({ event, shardId }) => event === "fetched" && shardId === SICK);
  await flows(stream, journal, "calm");
  expect(await wordsOf(journal, SICK)).toEqual([]);
  daemon.signal("SIGTERM");
  await daemon.waitFor("stopRequested");
  await laterRequest();
  daemon.signal("SIGTERM");
  expect(await daemon.ended).toBe(143);
});

it("a slow child with a huge backlog delays no other shard, and neither fills the memory", async () => {
  const stream = await createStream("backlog", 2);
  const journal = await Journal.create();
  // Ten times as much as the daemon may hold, after a first record that is not of typical size.
  const text = "x".repeat(5_000);
  const backlog = Array.from({ length: 1_500 }, (_, i) => `${i} ${text}`);
  await put(stream, ["wait-0"], keyOfShard(0));
  await put(stream, backlog, keyOfShard(0));
  const maxBufferedBytes = 2 ** 20;
  const properties = { maxBufferedBytes };
  const daemon = await startMischief({ stream, journal, properties });
  await daemon.waitFor(({ event, shardId }) => event === "fetched" && shardId === SICK);
  await flows(stream, journal, "before");
  expect(await wordsOf(journal, SICK)).toEqual([]);
  const fetched = daemon.events
    .filter(({ event, shardId }) => event === "fetched" && shardId === SICK)
    .reduce((bytes, event) => bytes + Number(event["bytes"]), 0);
  expect(fetched).toBeLessThanOrEqual(maxBufferedBytes);
  await writeFile(join(journal.folder, "go"), "");
  await flows(stream, journal, "meanwhile");
  await until("all of the backlog", async () => {
    return (await wordsOf(journal, SICK)).length === backlog.length + 1;
  });
  expect(await wordsOf(journal, SICK)).toEqual(["wait-0", ...backlog]);
  const status = await readFile(`/proc/${daemon.pid}/status`, "utf8");
  expect(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(300 * 1024);
  expect(await daemon.stop()).toBe(0);
  // The emulator takes most of this time to accept the backlog.
}, 180_000);

it("a shard for which the service does not respond delays no other shard", async () => {
  const stream = await createStream("silent", 2);
  const journal = await Journal.create();
  const proxy = await startFaultProxy(inject("kinesisUrl"));
  onTestFinished(() => proxy.stop());
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  await put(stream, ["late"], keyOfShard(0));
  await put(stream, ["early"], keyOfShard(1));
  // Whichever shard asks first is the silent one.
  proxy.next("GetRecords", { type: "delay", until: answered });
  const properties = { kinesisEndpoint: proxy.url };
  const daemon = await startMischief({ stream, journal, properties });
  await until("the other shard", async () => (await journal.words()).length === 1);
  const [word] = await journal.words();
  const key = keyOfShard(word === "early" ? 1 : 0);
  for (let count = 2; count <= 10; count += 1) {
    await put(stream, [`word-${count}`], key);
    await until(`word ${count}`, async () => (await journal.words()).length === count);
  }
  answer();
  await until("the silent shard", async () => (await journal.words()).length === 11);
  expect(await journal.words()).toContain(word === "early" ? "late" : "early");
  expect(await daemon.stop()).toBe(0);
});
