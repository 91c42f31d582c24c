import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Event } from "../src/events.ts";
import { describe as told } from "../src/listeners/logLines.ts";
import { counted } from "../src/plural.ts";

const [shardId, pid, error] = ["shard-0", 1, new Error("why")];
const position = { sequenceNumber: "1", subSequenceNumber: 0 } as never;
const range = { first: position, last: position };

const OF_ONE: readonly Event[] = [
  { type: "shardsSynced", shards: 1, created: 1 },
  { type: "fetched", shardId, records: 1, bytes: 1, millisBehindLatest: 1 },
  {
    type: "serviceRecovered",
    service: "kinesis",
    operation: "GetRecords",
    scope: "s",
    attempts: 1,
  },
  { type: "waitingForAttachment", shardId, address: "tcp:1", before: 1 },
  { type: "childOutputDropped", shardId, pid, stream: "stderr", lines: 1 },
  {
    type: "batchProcessed",
    shardId,
    pid,
    records: 1,
    bytes: 1,
    position,
    millisBehindLatest: 1,
    elapsedMs: 1,
  },
  {
    type: "batchSent",
    shardId,
    pid,
    records: 1,
    bytes: 1,
    millisBehindLatest: 1,
    arrivedMs: 1,
    sentMs: 1,
  },
  { type: "recordsBuried", shardId, records: 1, ...range, condition: "attempts" },
  { type: "destinationTrouble", shardId, error, attempt: 1, retryInMs: 1 },
  {
    type: "childFailed",
    shardId,
    attempt: 1,
    error,
    cause: "exit",
    records: 1,
    ...range,
    next: "restart",
    retryInMs: 1,
  },
];

test.each(OF_ONE.map((event) => [event.type, event] as const))(
  "%s counts one in the singular",
  (_, event) => {
    expect(told(event).message).not.toMatch(/\b1 (?!ms\b)(?:\w+ )?\w+s\b/);
  },
);

test("a number takes its noun with it", () => {
  expect([0, 1, 2].map((count) => counted(count, "lease"))).toEqual([
    "0 leases",
    "1 lease",
    "2 leases",
  ]);
  expect(counted(1, "batch", "batches")).toBe("1 batch");
  expect(counted(2, "lease stays", "leases stay")).toBe("2 leases stay");
});

/** Constants in capitals are larger than one. */
const PLURAL_AFTER_NUMBER =
  /\$\{(?![A-Z][A-Z_]+\})[^}]*\} (?:(?:more|other|open|dead|torn) )?(?:shards|leases|records|workers|children|failures|settings|lines|problems|warnings|words|letters|pieces|attempts|looks|fields|pages|calls|files|rows|batches|streams|keys|times|stay)\b/;

test("no message is written with a plural behind any number", () => {
  const folder = join(import.meta.dirname, "../src");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const found = files.flatMap((name) =>
    readFileSync(join(folder, name), "utf8")
      .split("\n")
      .filter((line) => PLURAL_AFTER_NUMBER.test(line) && !/^\s*(?:\/\/|\*|\/\*\*)/.test(line))
      .map((line) => `${name}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
