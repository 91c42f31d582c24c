// Several children for one shard, as processes: what each receives, what repeats when one of them
// dies, and what is stored.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { expect, it, vi } from "vitest";
import { type DaemonUnderTest, startDaemon, temporaryFolder } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { SHARDS, startMischief } from "../support/mischief.ts";
import { officialKclpyOrReason } from "../support/python.ts";

// Four children and more start at the same time.
vi.setConfig({ testTimeout: 240_000 });

const LANES = 4;
const KEYS = Array.from({ length: 12 }, (_, index) => `key-${index}`);
const [SHARD] = SHARDS;

/** Puts `count` words for each key, `key-3 17` for example. @returns all words. */
async function putWords(stream: string, from: number, count: number): Promise<readonly string[]> {
  const words = await Promise.all(
    KEYS.map(async (key) => {
      const own = Array.from({ length: count }, (_, index) => `${key} ${from + index}`);
      await put(stream, own, key);
      return own;
    }),
  );
  return words.flat();
}

const keyOf = (word: string) => word.split(" ")[0] ?? "";
const numberOf = (word: string) => Number(word.split(" ")[1]);

/** The words by key, as they were first received. */
function firstDeliveries(words: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const byKey = new Map<string, number[]>();
  for (const word of new Set(words)) {
    byKey.set(keyOf(word), [...(byKey.get(keyOf(word)) ?? []), numberOf(word)]);
  }
  return byKey;
}

function expectOrder(words: readonly string[]): void {
  for (const numbers of firstDeliveries(words).values()) {
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
}

function startLanes(stream: string, journal: Journal, properties = {}): Promise<DaemonUnderTest> {
  return startMischief({
    stream,
    journal,
    properties: { parallelizationFactor: LANES, failoverTimeMillis: 3_000, ...properties },
  });
}

const received = async (journal: Journal, words: readonly string[]) => {
  const seen = new Set(await journal.words());
  return words.every((word) => seen.has(word));
};

it("each key goes to one child, in order, and the stored checkpoint follows all of them", async () => {
  const stream = await createStream("lanes", 1);
  const journal = await Journal.create();
  const words = await putWords(stream, 0, 20);
  const daemon = await startLanes(stream, journal);
  await until("all words", () => received(journal, words));
  const [last] = await put(stream, ["last 0"], "last");
  await until("the last checkpoint to be stored", async () => {
    return (await leaseItems(stream)).get(SHARD)?.["checkpoint"] === last?.sequenceNumber;
  });
  expect(await daemon.stop()).toBe(0);

  const entries = (await journal.read()).get(SHARD) ?? [];
  const pidsOfKey = new Map<string, Set<number>>();
  for (const { pid, words: some = [] } of entries) {
    for (const word of some) {
      pidsOfKey.set(keyOf(word), (pidsOfKey.get(keyOf(word)) ?? new Set()).add(pid));
    }
  }
  expect([...pidsOfKey.values()].every(({ size }) => size === 1)).toBe(true);
  expect(new Set([...pidsOfKey.values()].flatMap((pids) => [...pids])).size).toBeGreaterThan(1);
  const all = await journal.words();
  expect(all.toSorted()).toEqual([...words, "last 0"].toSorted());
  expectOrder(all);
  const goodbyes = entries.filter(({ action }) => action === "shutdownRequested");
  expect(new Set(goodbyes.map(({ pid }) => pid)).size).toBe(LANES);
  const lanes = daemon.events.filter(({ event }) => event === "childStarted");
  expect(lanes.map(({ lane }) => lane).toSorted()).toEqual([0, 1, 2, 3]);
});

it("a killed child is replaced alone, and no other lane repeats a word", async () => {
  const stream = await createStream("lanes-kill", 1);
  const journal = await Journal.create();
  const words = [...(await putWords(stream, 0, 10))];
  const daemon = await startLanes(stream, journal);
  await until("all words", () => received(journal, words));
  const started = daemon.events.filter(({ event }) => event === "childStarted");
  const victim = started.find(({ lane }) => lane === 2);
  process.kill(Number(victim?.["pid"]), "SIGKILL");
  words.push(...(await putWords(stream, 10, 10)));
  await until("all words", () => received(journal, words));
  expect(await daemon.stop()).toBe(0);
  const all = await journal.words();
  expect(all.toSorted()).toEqual(words.toSorted());
  expectOrder(all);
  const again = daemon.events.filter(({ event }) => event === "childStarted").slice(LANES);
  expect(again.map(({ lane }) => lane)).toEqual([2]);
  expect(daemon.events.find(({ event }) => event === "childFailed")).toMatchObject({ lane: 2 });
});

it("a daemon that is killed loses nothing, and its successor starts at the low-water mark", async () => {
  const stream = await createStream("lanes-crash", 1);
  const journal = await Journal.create();
  const words = [...(await putWords(stream, 0, 20))];
  const first = await startLanes(stream, journal, { workerId: "same" });
  await first.waitFor("checkpointed");
  first.signal("SIGKILL");
  await first.ended;
  words.push(...(await putWords(stream, 20, 5)));
  const second = await startLanes(stream, journal, { workerId: "same", parallelizationFactor: 3 });
  await until("all words", () => received(journal, words));
  expect(await second.stop()).toBe(0);
  const all = await journal.words();
  expect([...new Set(all)].toSorted()).toEqual(words.toSorted());
  expectOrder(all);
});

it("a poison record is found in its lane, and the other lanes go on", async () => {
  const stream = await createStream("lanes-poison", 1);
  const journal = await Journal.create();
  const file = join(await temporaryFolder(), "dead-letters.ndjson");
  const words = [...(await putWords(stream, 0, 5))];
  await put(stream, ["poison-1"], "key-3");
  words.push(...(await putWords(stream, 5, 5)));
  const daemon = await startLanes(stream, journal, {
    bisectBatchOnFunctionError: true,
    maximumRetryAttempts: 1,
    maxChildRestarts: 0,
    onFailureDestination: `file:${file}`,
  });
  await until("all else", () => received(journal, words));
  expect(await daemon.stop()).toBe(0);
  expect((await journal.words()).toSorted()).toEqual(words.toSorted());
  const letters = (await readFile(file, "utf8")).trim().split("\n");
  expect(letters.map((line) => JSON.parse(line))).toMatchObject([
    { partitionKey: "key-3", condition: "attempts", shardId: SHARD },
  ]);
  const failed = daemon.events.filter(({ event }) => event === "childFailed");
  expect(new Set(failed.map(({ lane }) => lane)).size).toBe(1);
});

it("every lane receives the end of the shard, and then the child shards begin", async () => {
  const stream = await createStream("lanes-end", 1);
  const journal = await Journal.create();
  const words = [...(await putWords(stream, 0, 5))];
  const client = testKinesis();
  await client.send(
    new SplitShardCommand({
      StreamName: stream,
      ShardToSplit: SHARD,
      NewStartingHashKey: (2n ** 127n).toString(),
    }),
  );
  client.destroy();
  await streamActive(stream);
  words.push(...(await putWords(stream, 5, 5)));
  const daemon = await startLanes(stream, journal, {
    parallelizationFactor: 2,
    parentShardPollIntervalMillis: 500,
  });
  await until("all words", () => received(journal, words));
  expect(await daemon.stop()).toBe(0);
  const actions = await journal.actions(SHARD);
  expect(actions.filter((action) => action === "shardEnded")).toHaveLength(2);
  expect(await shardsOf(stream)).toHaveLength(3);
  const all = await journal.words();
  expect(all.toSorted()).toEqual(words.toSorted());
  const end = daemon.events.findIndex(
    ({ event, position }) =>
      event === "checkpointed" && JSON.stringify(position).includes("SHARD_END"),
  );
  const begins = daemon.events.findIndex(
    ({ event, shardId }) => event === "shardStarted" && shardId !== SHARD,
  );
  expect(end).toBeGreaterThan(0);
  expect(begins).toBeGreaterThan(end);
});

it("the official Python library runs unmodified in lanes", { timeout: 300_000 }, async (ctx) => {
  const kclpy = await officialKclpyOrReason();
  if ("missing" in kclpy) return ctx.skip(kclpy.missing);
  const stream = await createStream("lanes-python", 1);
  const words = [...(await putWords(stream, 0, 5))];
  const processor = fileURLToPath(new URL("../fixtures/processors/kclpy_v3.py", import.meta.url));
  const daemon = await startDaemon({
    properties: {
      executableName: `${kclpy.python.command} ${processor}`,
      streamName: stream,
      applicationName: stream,
      parallelizationFactor: LANES,
    },
    env: { PYTHONPATH: kclpy.libraryPath, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const said = () =>
    daemon.events.flatMap(({ event, line }) => (event === "childOutput" ? [String(line)] : []));
  const seen = () => said().flatMap((line) => /^v3 record (\S+) (.*)$/.exec(line)?.[2] ?? []);
  await until("all words", () => new Set(seen()).size === words.length);
  const [last] = await put(stream, ["last 0"], "key-0");
  await until("the last checkpoint to be stored", async () => {
    return (await leaseItems(stream)).get(SHARD)?.["checkpoint"] === last?.sequenceNumber;
  });
  expect(await daemon.stop()).toBe(0);
  expect(seen().toSorted()).toEqual([...words, "last 0"].toSorted());
  expectOrder(seen());
  expect(said().filter((line) => line.startsWith("v3 shutdown_requested"))).toHaveLength(LANES);
});
