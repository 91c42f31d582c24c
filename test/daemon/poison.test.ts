// Records that kill every child that receives them: they affect no other record, and are not lost.

import { readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { PutRecordCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it, vi } from "vitest";
import { aggregate } from "../records/kpl.ts";
import { type DaemonUnderTest, temporaryFolder } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  testKinesis,
  until as untilWithin,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, SHARDS, startMischief } from "../support/mischief.ts";

// Each step of a search costs a child or two, and time to think between them.
const LIMIT_MS = 120_000;
vi.setConfig({ testTimeout: 3 * LIMIT_MS });
const until = (what: string, holds: () => boolean | Promise<boolean>) =>
  untilWithin(what, holds, LIMIT_MS);

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `word-${from + index}`);

interface Letter {
  readonly streamName: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  readonly attempts: number;
  readonly condition: string;
  readonly approximateArrivalTimestamp: number;
  readonly cause: { readonly exitCode?: number; readonly lastStderr: readonly string[] };
  readonly data: string;
}

async function lettersIn(file: string): Promise<readonly Letter[]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Letter);
}

const wordOf = ({ data }: Letter) => Buffer.from(data, "base64").toString();

/** Limits that find the record that kills. */
const ISOLATE = {
  bisectBatchOnFunctionError: true,
  maximumRetryAttempts: 1,
  // Retries that have a limit of their own are not counted here.
  maxChildRestarts: 0,
};

async function deadLetterFile(): Promise<string> {
  return join(await temporaryFolder(), "dead-letters.ndjson");
}

const buried = (daemon: DaemonUnderTest) =>
  daemon.events.filter(({ event }) => event === "recordsBuried").length;

describe("with a destination and bisecting", () => {
  it("exactly the poison records go to the dead letters, with their cause, and all others are processed", async () => {
    const stream = await createStream("poison", 2);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    const words = [...numbered(20), "poison-1", ...numbered(20, 20), "poison-2", "poison-3"];
    const places = await put(stream, words);
    const daemon = await startMischief({
      stream,
      journal,
      properties: { ...ISOLATE, onFailureDestination: `file:${file}` },
    });
    await until("all else to be processed", async () => (await journal.words()).length >= 40);
    await until("three dead letters", () => buried(daemon) === 3);
    await put(stream, ["after"]);
    await until("the shard to go on", async () => (await journal.words()).includes("after"));
    expect(await daemon.stop()).toBe(0);

    expect((await journal.words()).toSorted()).toEqual(["after", ...numbered(40)].toSorted());
    const letters = await lettersIn(file);
    expect(letters.map(wordOf).toSorted()).toEqual(["poison-1", "poison-2", "poison-3"]);
    for (const letter of letters) {
      const place = places[words.indexOf(wordOf(letter))];
      expect(letter).toMatchObject({
        version: 1,
        streamName: stream,
        ...place,
        subSequenceNumber: 0,
        attempts: 2,
        condition: "attempts",
        cause: { reason: "exit", waitingFor: "processRecords", exitCode: 3 },
      });
      expect(letter.cause.lastStderr).toContain(`cannot digest ${wordOf(letter)}`);
    }
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("a daemon that is killed during the search finds the record again, and nothing is lost", async () => {
    const stream = await createStream("poison-restart", 1);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    await put(stream, [...numbered(30), "poison-1", ...numbered(30, 30)]);
    const properties = { ...ISOLATE, onFailureDestination: `file:${file}`, workerId: "same" };
    const first = await startMischief({ stream, journal, properties });
    await until("the search to be under way", () =>
      first.events.some(({ event, attempt }) => event === "childFailed" && attempt === 4),
    );
    first.signal("SIGKILL");
    await first.ended;
    const second = await startMischief({ stream, journal, properties });
    await until("the poison to be found", () => buried(second) === 1);
    await until("all else", async () => new Set(await journal.words()).size === 60);
    expect(await second.stop()).toBe(0);
    expect([...new Set(await journal.words())].toSorted()).toEqual(numbered(60).toSorted());
    expect((await lettersIn(file)).map(wordOf)).toEqual(["poison-1"]);

    const third = await startMischief({ stream, journal, properties });
    await put(stream, ["after"]);
    await until("the shard to go on", async () => (await journal.words()).includes("after"));
    expect(await third.stop()).toBe(0);
    expect(buried(third)).toBe(0);
  });

  it("a buried record is never delivered again, although no record follows it", async () => {
    const stream = await createStream("poison-last", 1);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    const properties = { ...ISOLATE, onFailureDestination: `file:${file}`, workerId: "same" };
    const places = await put(stream, ["word-0", "poison-1"]);
    const first = await startMischief({ stream, journal, properties });
    await until("the place behind it to be stored", async () => {
      const lease = (await leaseItems(stream)).get(SHARDS[0]);
      return lease?.["checkpoint"] === places[1]?.sequenceNumber;
    });
    first.signal("SIGKILL");
    await first.ended;
    const second = await startMischief({ stream, journal, properties });
    await put(stream, ["word-2"]);
    await until("the next word", async () => (await journal.words()).includes("word-2"));
    expect(await second.stop()).toBe(0);
    expect(second.events.filter(({ event }) => event === "childFailed")).toEqual([]);
    expect(await lettersIn(file)).toHaveLength(1);
  });

  it("of an aggregate, only the records that kill the child are removed", async () => {
    const stream = await createStream("poison-aggregate", 1);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    const words = ["word-0", "poison-1", "word-2", "poison-3", "word-4"];
    const client = testKinesis();
    const { SequenceNumber } = await client.send(
      new PutRecordCommand({
        StreamName: stream,
        PartitionKey: "key",
        Data: aggregate(words.map((word) => ({ partitionKey: "key", data: Buffer.from(word) }))),
      }),
    );
    client.destroy();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { ...ISOLATE, onFailureDestination: `file:${file}` },
    });
    await until("the innocent words", async () => (await journal.words()).length === 3);
    expect(await daemon.stop()).toBe(0);
    expect(await journal.words()).toEqual(["word-0", "word-2", "word-4"]);
    expect(await lettersIn(file)).toMatchObject([
      { sequenceNumber: SequenceNumber, subSequenceNumber: 1 },
      { sequenceNumber: SequenceNumber, subSequenceNumber: 3 },
    ]);
    expect((await leaseItems(stream)).get(SHARDS[0])).toMatchObject({
      checkpoint: SequenceNumber,
      checkpointSubSequenceNumber: "4",
    });
  });

  it("a record that is too old when it fails is buried at once, and a younger one is retried", async () => {
    const stream = await createStream("poison-old", 1);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    await put(stream, ["poison-1"]);
    const putAtMs = performance.now();
    await until("it to be old", () => performance.now() - putAtMs > 6_000);
    await put(stream, ["word-2"]);
    const daemon = await startMischief({
      stream,
      journal,
      properties: { maximumRecordAgeInSeconds: 5, onFailureDestination: `file:${file}` },
    });
    await until("the young word", async () => (await journal.words()).length === 1);
    expect(await daemon.stop()).toBe(0);
    expect(await lettersIn(file)).toMatchObject([{ condition: "age", attempts: 1 }]);
  });
});

describe("a destination that fails", () => {
  it("blocks its shard until it works again, loses no record and affects no other shard", async () => {
    const stream = await createStream("poison-full", 2);
    const journal = await Journal.create();
    const file = await deadLetterFile();
    const daemon = await startMischief({
      stream,
      journal,
      properties: { ...ISOLATE, onFailureDestination: `file:${file}` },
    });
    await daemon.waitFor("shardStarted");
    await rename(file, `${file}.empty`);
    await symlink("/dev/full", file);
    await put(stream, ["poison-1", "word-2"], keyOfShard(0));
    const trouble = await daemon.waitFor("destinationTrouble");
    expect(trouble).toMatchObject({ level: "error", shardId: SHARDS[0] });
    expect(trouble.message).toContain("ENOSPC");
    await put(stream, ["word-3"], keyOfShard(1));
    await until("the other shard's word", async () => (await journal.words()).length === 1);
    expect(await journal.words()).toEqual(["word-3"]);
    await rm(file);
    await until("the shard to go on", async () => (await journal.words()).length === 2);
    expect(await daemon.stop()).toBe(0);
    expect((await lettersIn(file)).map(wordOf)).toEqual(["poison-1"]);
  });
});

describe("without a destination", () => {
  it("a shard blocks with an error and skips nothing, and the others continue", async () => {
    const stream = await createStream("poison-blocks", 2);
    const journal = await Journal.create();
    // The search for the poison does not end with the budget, or what stands before it would wait,
    // too.
    const properties = { bisectBatchOnFunctionError: true, maxChildRestarts: 1 };
    const before = numbered(8);
    const words = [...before, "poison-1", ...numbered(8, 100)];
    const places = await put(stream, words, keyOfShard(0));
    const daemon = await startMischief({ stream, journal, properties });
    const loud = () =>
      daemon.events.filter(({ event, level }) => event === "childFailed" && level === "error");
    await until("what stands before it", async () => (await journal.words()).length === 8);
    await daemon.waitFor("leaseReleased");
    const failures = loud().length;
    await put(stream, numbered(5, 10), keyOfShard(1));
    await until("the other shard", async () => (await journal.words()).length === 13);
    await until("another attempt", () => loud().length > failures);
    expect(await daemon.stop()).toBe(0);
    expect((await journal.words()).toSorted()).toEqual([...before, ...numbered(5, 10)].toSorted());
    expect((await leaseItems(stream)).get(SHARDS[0])?.["checkpoint"]).toBe(
      places[7]?.sequenceNumber,
    );
  });

  it("limits that would skip records are refused with an error that names them and the remedy", async () => {
    const journal = await Journal.create();
    const daemon = await startMischief({
      stream: "none",
      journal,
      properties: { maximumRetryAttempts: 3, maximumRecordAgeInSeconds: 60 },
    });
    expect(await daemon.ended).toBe(1);
    const said = daemon.otherLines.join("\n");
    for (const key of ["maximumRetryAttempts", "maximumRecordAgeInSeconds"]) {
      expect(said).toContain(`${key}: records would be skipped`);
    }
    expect(said).toContain("onFailureDestination");
  });
});
