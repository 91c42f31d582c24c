// Records that kill every child which is given them: nothing else may suffer, and they may not get lost.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DaemonUnderTest, temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { startMischief } from "../support/mischief.ts";

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
const ISOLATE = { bisectBatchOnFunctionError: true, maximumRetryAttempts: 1 };

async function deadLetterFile(): Promise<string> {
  return join(await temporaryFolder(), "dead-letters.ndjson");
}

const buried = (daemon: DaemonUnderTest) =>
  daemon.events.filter(({ event }) => event === "recordsBuried").length;

describe("with a destination and bisecting", () => {
  it("exactly the poison goes to the dead letters, with its cause, and all else is processed", async () => {
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

  it("a daemon killed in the midst of the search finds it again, and nothing is lost", async () => {
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
});
