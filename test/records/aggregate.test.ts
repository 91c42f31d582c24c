// KPL aggregates: those that other libraries make, and every kind of malformed one.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KinesisRecord, RecordBatch } from "../../src/model/batch.ts";
import type { HashKeyRange } from "../../src/model/shard.ts";
import { readGetRecordsResponse } from "../../src/records/getRecordsResponse.ts";
import { disaggregator } from "../../src/records/kpl/disaggregate.ts";
import { textOf } from "../support/batches.ts";
import {
  aggregate,
  field,
  message,
  number,
  record,
  sealed,
  type UserRecord,
  varint,
} from "./kpl.ts";

interface Fixture {
  readonly name: string;
  readonly records: readonly { readonly partitionKey: string; readonly data: string }[];
  readonly aggregates: Readonly<Record<string, string>>;
}

/** Made with the libraries that the file names, from the records that it contains. */
const fixtures: readonly Fixture[] = JSON.parse(
  readFileSync(new URL("aggregates.json", import.meta.url), "utf8"),
);

const FULL: HashKeyRange = { startingHashKey: "0", endingHashKey: String(2n ** 128n - 1n) };

function delivered(
  payloads: readonly (Uint8Array | string)[],
  range: HashKeyRange | undefined = FULL,
): {
  records: KinesisRecord[];
  faults: { delivered: number; reason: string }[];
  misplaced: KinesisRecord[];
} {
  const misplaced: KinesisRecord[] = [];
  const faults: { delivered: number; reason: string }[] = [];
  const Records = payloads.map((payload, index) => ({
    SequenceNumber: String(100 + index),
    ApproximateArrivalTimestamp: 1.5,
    Data: typeof payload === "string" ? payload : Buffer.from(payload).toString("base64"),
    PartitionKey: "outer",
  }));
  const body = Buffer.from(JSON.stringify({ Records }));
  const { records } = readGetRecordsResponse(
    body,
    disaggregator(
      range,
      (fault) => faults.push(fault),
      (all) => misplaced.push(...recordsOf(all)),
    ),
  );
  JSON.parse(`[${textOf(records)}]`);
  return { records: recordsOf(records), faults, misplaced };
}

function recordsOf(batch: RecordBatch): KinesisRecord[] {
  return Array.from({ length: batch.count }, (_, at) => batch.at(at));
}

const short = ({ data, partitionKey, sequenceNumber, subSequenceNumber }: KinesisRecord) =>
  `${sequenceNumber}.${subSequenceNumber} ${partitionKey}=${Buffer.from(data, "base64")}`;

const user = (partitionKey: string, data: string, explicitHashKey?: string): UserRecord => ({
  partitionKey,
  data: Buffer.from(data),
  ...(explicitHashKey === undefined ? {} : { explicitHashKey }),
});

const hashOf = (key: string) => BigInt(`0x${createHash("md5").update(key).digest("hex")}`);
const range = (first: bigint, last: bigint): HashKeyRange => ({
  startingHashKey: String(first),
  endingHashKey: String(last),
});

describe.each(fixtures.map((fixture) => [fixture.name, fixture] as const))("%s", (_, fixture) => {
  test.each(Object.entries(fixture.aggregates))("by %s", (_library, base64) => {
    const { records } = delivered([base64]);
    expect(records).toEqual(
      fixture.records.map((record, subSequenceNumber) => ({
        ...record,
        sequenceNumber: "100",
        approximateArrivalTimestamp: 1500,
        subSequenceNumber,
      })),
    );
  });
});

test("keeps the order of plain records and aggregates", () => {
  const { records } = delivered([
    Buffer.from("before"),
    aggregate([user("a", "1"), user("b", "2")]),
    Buffer.from("after"),
  ]);
  expect(records.map(short)).toEqual([
    "100.0 outer=before",
    "101.0 a=1",
    "101.1 b=2",
    "102.0 outer=after",
  ]);
});

test("returns the user records of any aggregate", () => {
  const users = fc.array(
    fc.record({
      partitionKey: fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
      data: fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc.uint8Array({ minLength: 280, maxLength: 320 }),
      ),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(users, (list) => {
      const { records } = delivered([aggregate(list)]);
      expect(records.map(({ partitionKey, data }) => ({ partitionKey, data }))).toEqual(
        list.map(({ partitionKey, data }) => ({
          partitionKey,
          data: Buffer.from(data).toString("base64"),
        })),
      );
      expect(records.map((r) => r.subSequenceNumber)).toEqual(list.map((_, index) => index));
    }),
  );
});

describe("delivers as one plain record:", () => {
  const good = message([user("a", "1")]);
  const broken = sealed(good);
  broken.writeUInt8(broken.readUInt8(broken.length - 1) ^ 1, broken.length - 1);
  test.each([
    ["a wrong digest", broken],
    ["a truncated aggregate", sealed(good).subarray(0, -1)],
    ["a byte too many", Buffer.concat([sealed(good), Buffer.of(0)])],
    ["the magic number alone", Buffer.from([0xf3, 0x89, 0x9a, 0xc2])],
    ["the magic number and less than a digest", sealed(Buffer.alloc(0)).subarray(0, -1)],
    ["an empty message", sealed(Buffer.alloc(0))],
    ["a message that ends inside a field", sealed(good.subarray(0, -1))],
    ["a record without data", sealed(field(3, number(1, 0)))],
    ["a record without a partition key", sealed(field(3, field(3, Buffer.from("x"))))],
    [
      "a tag without a key",
      sealed(field(3, Buffer.concat([number(1, 0), field(3, Buffer.of()), field(4, Buffer.of())]))),
    ],
    ["field number 0", sealed(Buffer.concat([good, varint(2), varint(0)]))],
    ["an invalid wire type", sealed(Buffer.concat([good, varint(9 * 8 + 6)]))],
    [
      "a number of eleven bytes",
      sealed(Buffer.concat([good, varint(72), Buffer.alloc(10, 0xff), varint(0)])),
    ],
    ["a group without a start", sealed(Buffer.concat([good, varint(9 * 8 + 4)]))],
    ["a group without an end", sealed(Buffer.concat([good, varint(9 * 8 + 3)]))],
  ])("%s", (_, payload) => {
    const { records, faults } = delivered([payload]);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      partitionKey: "outer",
      subSequenceNumber: 0,
      data: Buffer.from(payload).toString("base64"),
    });
    expect(faults).toEqual([]);
  });
});

test("skips unknown fields of every wire type", () => {
  const more = Buffer.concat([
    number(9, 300),
    field(10, Buffer.from("?")),
    varint(11 * 8 + 1),
    Buffer.alloc(8),
    varint(12 * 8 + 5),
    Buffer.alloc(4),
    varint(13 * 8 + 3),
    number(1, 1),
    varint(13 * 8 + 4),
    // A known field number with another wire type is an unknown field, too.
    number(1, 5),
    number(3, 5),
  ]);
  const payload = sealed(Buffer.concat([more, message([user("a", "1")]), more]));
  expect(delivered([payload]).records.map(short)).toEqual(["100.0 a=1"]);
});

test("yields nothing for an aggregate without records", () => {
  const { records, faults } = delivered([sealed(field(1, Buffer.from("key")))]);
  expect(records).toEqual([]);
  expect(faults).toEqual([]);
});

describe("delivers the records before a malformed one:", () => {
  const key = field(1, Buffer.from("k"));
  const one = record(0, undefined, Buffer.from("1"));
  test.each([
    [
      "a partition key outside the table",
      Buffer.concat([key, one, record(1, undefined, Buffer.from("2")), one]),
    ],
    [
      "a hash key outside the table",
      Buffer.concat([key, one, record(0, 0, Buffer.from("2")), one]),
    ],
    [
      "a hash key that is not a number",
      Buffer.concat([key, field(2, Buffer.from("12x")), one, record(0, 0, Buffer.from("2")), one]),
    ],
    [
      "an empty hash key",
      Buffer.concat([key, field(2, Buffer.of()), one, record(0, 0, Buffer.from("2")), one]),
    ],
  ])("%s", (_, content) => {
    const { records, faults } = delivered([sealed(content), Buffer.from("next")]);
    expect(records.map(short)).toEqual(["100.0 k=1", "101.0 outer=next"]);
    expect(faults).toMatchObject([{ sequenceNumber: "100", delivered: 1 }]);
  });
});

describe("the shard's range of hash keys", () => {
  const users = ["alpha", "größe 東京", "gamma"].map((key) => user(key, key));
  const hashes = users.map(({ partitionKey }) => hashOf(partitionKey));
  const [first = 0n, , last = 0n] = hashes.toSorted((a, b) => Number(a - b));
  const count = (hashRange: HashKeyRange | undefined) =>
    delivered([aggregate(users)], hashRange).records.length;

  test("includes its first and its last key", () => {
    expect(count(range(first, last))).toBe(3);
  });
  test("drops an aggregate with a single record outside", () => {
    expect(count(range(first + 1n, last))).toBe(0);
    expect(count(range(first, last - 1n))).toBe(0);
  });
  test.each([0, 1, 2])("drops it whichever record is outside (%i)", (outside) => {
    const hash = hashes[outside] ?? 0n;
    expect(count(range(hash + 1n, 2n ** 128n - 1n))).toBe(0);
    expect(count(range(0n, hash - 1n))).toBe(0);
  });
  test("passes all records of a dropped aggregate to the callback", () => {
    const { misplaced } = delivered([aggregate(users)], range(first + 1n, last));
    expect(misplaced.map(short)).toEqual(delivered([aggregate(users)]).records.map(short));
    expect(delivered([aggregate(users)]).misplaced).toEqual([]);
  });
  test("is not checked when it is unknown", () => {
    expect(delivered([aggregate(users)], undefined).records).toHaveLength(3);
  });
  test("is compared with the explicit hash key if there is one", () => {
    const explicit = aggregate([user("alpha", "1", "5"), user("alpha", "2", "7")]);
    expect(delivered([explicit], range(5n, 7n)).records).toHaveLength(2);
    expect(delivered([explicit], range(6n, 7n)).records).toHaveLength(0);
    expect(delivered([explicit], range(5n, 6n)).records).toHaveLength(0);
    expect(delivered([aggregate([user("a", "1", "-1")])], FULL).records).toHaveLength(0);
  });
  test("does not affect plain records or other aggregates", () => {
    const { records } = delivered(
      [
        Buffer.from("plain"),
        aggregate([user("x", "1", "1"), user("x", "2", "9")]),
        aggregate([user("x", "3", "2")]),
      ],
      range(0n, 5n),
    );
    expect(records.map(short)).toEqual(["100.0 outer=plain", "102.0 x=3"]);
  });
});

test("leaves a payload unchanged that only begins like an aggregate", () => {
  const almost = [
    "84mawf==",
    "84mawwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "84maxgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  ];
  expect(delivered(almost).records.map((r) => r.data)).toEqual(almost);
});
