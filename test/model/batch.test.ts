// A batch's records by their offsets: positions read from the end of their text, slices, and what
// lies behind a position.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type KinesisRecord, RecordBatch } from "../../src/model/batch.ts";
import { comparePositions, type Position, parsePosition } from "../../src/model/position.ts";
import { textOf } from "../support/batches.ts";

const record = fc.record({
  data: fc.base64String({ maxLength: 500 }),
  // With everything that could be taken for the end of a record.
  partitionKey: fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.constant('","sequenceNumber":"9","approximateArrivalTimestamp":1,"subSequenceNumber":1}'),
  ),
  sequenceNumber: fc.bigInt({ min: 1n, max: 10n ** 127n }).map(String),
  approximateArrivalTimestamp: fc.integer({ min: -8.64e15, max: 8.64e15 }),
  subSequenceNumber: fc.nat(),
});

function batchOf(records: readonly KinesisRecord[]): RecordBatch {
  const texts = records.map((each) =>
    JSON.stringify({
      data: each.data,
      partitionKey: each.partitionKey,
      sequenceNumber: each.sequenceNumber,
      approximateArrivalTimestamp: each.approximateArrivalTimestamp,
      subSequenceNumber: each.subSequenceNumber,
      action: "record",
    }),
  );
  const starts = [0];
  for (const text of texts) starts.push((starts.at(-1) ?? 0) + Buffer.byteLength(text) + 1);
  const json = Buffer.from(texts.map((text) => `${text},`).join(""));
  return new RecordBatch([{ json, starts: Uint32Array.from(starts) }]);
}

function recordsOf(batch: RecordBatch): readonly KinesisRecord[] {
  return Array.from({ length: batch.count }, (_, index) => batch.at(index));
}

const BLANK = {
  data: "",
  partitionKey: "key",
  approximateArrivalTimestamp: 1,
  subSequenceNumber: 0,
};

function position(sequenceNumber: string, subSequenceNumber: number): Position {
  const parsed = parsePosition(sequenceNumber, subSequenceNumber);
  if (!parsed) throw new Error(sequenceNumber);
  return parsed;
}

test("every record and its position can be found", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (records) => {
      const batch = batchOf(records);
      expect(batch.count).toBe(records.length);
      expect(records.map((_, index) => batch.at(index))).toEqual(records);
      expect(records.map((_, index) => batch.position(index))).toEqual(
        records.map(({ sequenceNumber, subSequenceNumber }) => ({
          sequenceNumber,
          subSequenceNumber,
        })),
      );
      expect(JSON.parse(`[${textOf(batch)}]`)).toHaveLength(records.length);
      expect(batch.first).toEqual(records.length > 0 ? batch.position(0) : undefined);
      expect(batch.last).toEqual(
        records.length > 0 ? batch.position(records.length - 1) : undefined,
      );
    }),
  );
});

test("a slice is a batch of its own", () => {
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 6 }),
      fc.nat(7),
      fc.nat(7),
      (records, from, length) => {
        const to = Math.min(from + length, records.length);
        const slice = batchOf(records).slice(from, to);
        expect(JSON.parse(`[${textOf(slice)}]`)).toEqual(
          records.slice(from, to).map((each) => ({ ...each, action: "record" })),
        );
      },
    ),
  );
});

test("the records after a position are those with a greater one", () => {
  const place = fc.tuple(fc.bigInt({ min: 1n, max: 30n }).map(String), fc.nat(3));
  fc.assert(
    fc.property(fc.uniqueArray(place, { selector: String }), place, (places, [number, sub]) => {
      const ordered = places
        .map(([each, eachSub]) => position(each, eachSub))
        .toSorted(comparePositions);
      const batch = batchOf(
        ordered.map((each) => ({
          ...each,
          data: "",
          partitionKey: "k",
          approximateArrivalTimestamp: 0,
        })),
      );
      const from = position(number, sub);
      const behind = batch.after(from);
      expect(Array.from({ length: behind.count }, (_, at) => behind.position(at))).toEqual(
        ordered.filter((each) => comparePositions(each, from) > 0),
      );
    }),
  );
});

test("batches that were put together are read as one, whatever their sizes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(record, { maxLength: 4 }), { maxLength: 5 }),
      fc.nat(20),
      fc.nat(20),
      (parts, from, to) => {
        const whole = RecordBatch.concat(parts.map(batchOf));
        const expected = batchOf(parts.flat());
        for (const [found, wanted] of [
          [whole, expected],
          [whole.slice(from, Math.min(to, whole.count)), expected.slice(from, to)],
        ] as const) {
          expect(textOf(found)).toBe(textOf(wanted));
          expect(found.textBytes).toBe(wanted.textBytes);
          expect(recordsOf(found)).toEqual(recordsOf(wanted));
          expect([found.first, found.last]).toEqual([wanted.first, wanted.last]);
          expect(() => found.jsonAt(found.count)).toThrow(RangeError);
        }
      },
    ),
  );
});

test("the empty batch has no records", () => {
  expect(RecordBatch.empty.count).toBe(0);
  expect([RecordBatch.empty.textBytes, textOf(RecordBatch.empty)]).toEqual([0, ""]);
  expect(RecordBatch.empty.last).toBeUndefined();
  expect(() => RecordBatch.empty.position(0)).toThrow(RangeError);
});

test("a batch whose memory was freed still has its count and its first and last position", () => {
  const sequenceNumbers = ["100", "200", "300"];
  const records = sequenceNumbers.map((sequenceNumber) => ({ ...BLANK, sequenceNumber }));
  const json = Buffer.from(`${textOf(batchOf(records))},`);
  const starts = Uint32Array.from([0, 1, 2, 3], (index) => (index * json.length) / 3);
  let [given, told] = [0, 0];
  const batch = new RecordBatch([{ json, starts }], {
    free: () => {
      given += 1;
    },
    memoryBytes: 1_000,
  });
  batch.whenFreed(() => {
    told += 1;
  });
  batch.free();
  batch.free();
  expect([given, told]).toEqual([1, 1]);
  expect([batch.count, batch.pieces]).toEqual([3, []]);
  expect([batch.first, batch.last]).toEqual([position("100", 0), position("300", 0)]);
});

test("records whose memory belongs to others are not changed", () => {
  const batch = batchOf([{ ...BLANK, sequenceNumber: "100" }]);
  const before = textOf(batch);
  batch.free();
  expect(textOf(batch)).toBe(before);
});
