// The fast conversion of a GetRecords response yields the same bytes as JSON.parse and
// JSON.stringify.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGetRecordsResponse } from "../../src/records/getRecordsResponse.ts";
import { InvalidResponse } from "../../src/records/invalidResponse.ts";
import { textOf } from "../support/batches.ts";
import { choices, jsonText, NumberText } from "./jsonText.ts";

interface ServiceRecord {
  readonly Data?: string | null;
  readonly PartitionKey?: string | null;
  readonly SequenceNumber: string;
  readonly ApproximateArrivalTimestamp?: number | string | null;
}

/** The slow conversion, which is obviously right. */
function obvious(body: string): string {
  const answer: { Records?: ServiceRecord[] | null } = JSON.parse(body);
  const records = (answer.Records ?? []).map((record) =>
    JSON.stringify({
      data: record.Data ?? "",
      partitionKey: record.PartitionKey ?? "",
      sequenceNumber: record.SequenceNumber,
      approximateArrivalTimestamp: milliseconds(record.ApproximateArrivalTimestamp ?? 0),
      subSequenceNumber: 0,
      action: "record",
    }),
  );
  return records.join(",").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

function milliseconds(timestamp: number | string): number {
  const seconds = Number(timestamp);
  return Number.isNaN(seconds) ? Date.parse(String(timestamp)) : Math.round(seconds * 1000) + 0;
}

const text = fc.string({ unit: "binary", maxLength: 40 });
const awkward = fc.constantFrom(
  "\u2028",
  "a\u2029b",
  "\u2027\u202a",
  '"',
  "\\",
  "/+/",
  "€",
  "\ud800",
  "",
);
const base64 = fc
  .oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.uint8Array({ minLength: 50, maxLength: 130 }),
    fc.uint8Array({ minLength: 400, maxLength: 700 }),
  )
  .map((bytes) => Buffer.from(bytes).toString("base64"));

const ms = fc.integer({ min: -5_000_000_000_000, max: 5_000_000_000_000 });
const timestamp = fc.oneof(
  ms.map((time) => time / 1000),
  ms.map((time) => new NumberText(`${time}E-3`)),
  ms.map((time) => new NumberText((time / 1000).toExponential().toUpperCase().replace("+", ""))),
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }).map((time) => {
    const digits = String(time);
    return new NumberText(`${digits[0]}.${digits.slice(1)}E9`);
  }),
  fc.integer({ min: 0, max: 2_000_000_000 }),
  ms.map((time) => new Date(time).toISOString()),
  ms.map((time) => String(time / 1000)),
  fc.constant(null),
);

const sequenceNumber = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.stringMatching(/^[0-9]{0,127}$/))
  .map(([first, rest]) => `${first}${rest}`);

const unknownFields = fc.dictionary(
  fc.oneof(text, fc.constantFrom("EncryptionType", "Dat", "Datas", "data", "__proto__")),
  fc.oneof(fc.jsonValue(), text),
  { maxKeys: 2 },
);

const record = fc
  .tuple(
    unknownFields,
    fc.record(
      {
        Data: fc.oneof({ arbitrary: base64, weight: 5 }, text, awkward, fc.constant(null)),
        PartitionKey: fc.oneof(text, awkward, fc.constant("pk000001"), fc.constant(null)),
        ApproximateArrivalTimestamp: timestamp,
      },
      { requiredKeys: [] },
    ),
    sequenceNumber,
  )
  .map(([unknown, known, SequenceNumber]) => ({ ...unknown, ...known, SequenceNumber }));

const answer = fc
  .tuple(
    unknownFields,
    fc.record(
      {
        Records: fc.oneof(
          { arbitrary: fc.array(record, { maxLength: 8 }), weight: 9 },
          fc.constant(null),
        ),
        NextShardIterator: fc.oneof(text, fc.constant(null)),
        MillisBehindLatest: fc.oneof(fc.nat(), fc.constant(null)),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([unknown, known]) => ({ ...unknown, ...known }));

/** A body as one of its many JSON texts. */
const body = fc
  .tuple(answer, fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 30 }))
  .map(([value, list]) => jsonText(value, choices(list)));

const read = (text: string) => readGetRecordsResponse(Buffer.from(text));

describe("a GetRecords response", () => {
  test("is converted like JSON.parse and JSON.stringify would, whatever its form", () => {
    fc.assert(
      fc.property(body, (text) => {
        const found = read(text);
        const parsed = JSON.parse(text);
        expect(textOf(found.records)).toBe(obvious(text));
        expect(found.records.count).toBe(parsed.Records?.length ?? 0);
        expect(found.nextShardIterator).toBe(parsed.NextShardIterator ?? undefined);
        expect(found.millisBehindLatest).toBe(parsed.MillisBehindLatest ?? undefined);
        expect(found.lastSequenceNumber).toBe(parsed.Records?.at(-1)?.SequenceNumber);
      }),
      { numRuns: 1_000 },
    );
  });

  test("has its records at their offsets", () => {
    fc.assert(
      fc.property(body, (text) => {
        const { records } = read(text);
        const each = Array.from({ length: records.count }, (_, index) => records.jsonAt(index));
        expect(each.map(String).join(",")).toBe(textOf(records));
        const numbers = (JSON.parse(text).Records ?? []).map(
          (r: ServiceRecord) => r.SequenceNumber,
        );
        expect(each.map((_, index) => records.position(index).sequenceNumber)).toEqual(numbers);
      }),
    );
  });

  test("is refused when it is truncated anywhere", () => {
    fc.assert(
      fc.property(body, fc.nat(), (text, at) => {
        const bytes = Buffer.from(text.trim());
        const cut = bytes.subarray(0, at % bytes.length);
        expect(() => readGetRecordsResponse(cut)).toThrow(InvalidResponse);
      }),
    );
  });

  // When a byte of the structure changes, JSON.parse and this parser must both accept or both
  // reject.
  test("is refused when its structure is damaged", () => {
    const sound =
      '{"Records":[{"SequenceNumber":"1","Data":"YQ==","PartitionKey":"k"}],"X":[1,{"y":null}]}';
    fc.assert(
      fc.property(
        fc.nat({ max: sound.length - 1 }),
        fc.constantFrom(...'{}[]:,"x1\n'),
        (at, byte) => {
          const text = sound.slice(0, at) + byte + sound.slice(at + 1);
          const expected = outcome(() => obviousOrThrow(text));
          expect(outcome(() => textOf(read(text).records))).toBe(expected);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["a record without a sequence number", '{"Records":[{"Data":""}]}'],
    ["an invalid sequence number", '{"Records":[{"SequenceNumber":"12x"}]}'],
    [
      "an invalid sequence number of the same length as the previous one",
      '{"Records":[{"SequenceNumber":"123456"},{"SequenceNumber":"123:56"}]}',
    ],
    ["an empty sequence number", '{"Records":[{"SequenceNumber":""}]}'],
    ["a sequence number that is a number", '{"Records":[{"SequenceNumber":12}]}'],
    ["data that is not a string", '{"Records":[{"SequenceNumber":"1","Data":{}}]}'],
    [
      "an invalid time",
      '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":"soon"}]}',
    ],
    [
      "a time beyond the range of Date",
      '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1e20}]}',
    ],
    [
      "a number that is invalid JSON",
      '{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":01}]}',
    ],
    [
      "a line end inside a payload",
      `{"Records":[{"SequenceNumber":"1","Data":"${"A".repeat(300)}\n"}]}`,
    ],
    [
      "a carriage return inside a payload",
      `{"Records":[{"SequenceNumber":"1","Data":"${"A".repeat(300)}\r"}]}`,
    ],
    ["an escape that is invalid JSON", '{"Records":[{"SequenceNumber":"1","Data":"\\x"}]}'],
    ["text after the end", '{"Records":[]} {}'],
    ["an array", "[]"],
    ["an empty body", ""],
    ["an HTML page from a proxy", "<html></html>"],
  ])("is refused with %s", (_, text) => {
    expect(() => read(text)).toThrow(InvalidResponse);
  });

  test("has U+FFFD in place of invalid UTF-8", () => {
    const bytes = Buffer.concat([
      Buffer.from('{"Records":[{"SequenceNumber":"1","PartitionKey":"'),
      Buffer.from([0xff]),
      Buffer.from('"}]}'),
    ]);
    expect(readGetRecordsResponse(bytes).records.at(0).partitionKey).toBe("\ufffd");
  });

  test("names the children of a finished shard", () => {
    const found = read(
      '{"Records":[],"ChildShards":[{"ShardId":"s-1","ParentShards":["s-0"],"HashKeyRange":{"StartingHashKey":"0","EndingHashKey":"9"}}]}',
    );
    expect(found.nextShardIterator).toBeUndefined();
    expect(found.childShards).toEqual([
      {
        shardId: "s-1",
        parentShardIds: ["s-0"],
        hashKeyRange: { startingHashKey: "0", endingHashKey: "9" },
      },
    ]);
    expect(read('{"ChildShards":[]}').childShards).toBeUndefined();
    expect(() => read('{"ChildShards":[{}]}')).toThrow(InvalidResponse);
  });
});

function outcome(make: () => string): string {
  try {
    return make();
  } catch {
    return "refused";
  }
}

function obviousOrThrow(text: string): string {
  const parsed = JSON.parse(text);
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw new Error("no answer");
  for (const { SequenceNumber, Data, PartitionKey } of parsed.Records ?? []) {
    if (!/^\d+$/.test(SequenceNumber)) throw new Error("no sequence number");
    for (const text of [Data, PartitionKey]) {
      if (typeof (text ?? "") !== "string") throw new Error("no string");
    }
  }
  return obvious(text);
}
