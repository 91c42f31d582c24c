import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchOf, RecordBatch, recordJson } from "../../../src/model/batch.ts";
import { keyHash } from "../../../src/shard/lanes/keyHash.ts";

const record = (partitionKey: string, data = "eA==", sequenceNumber = "1") =>
  recordJson({
    data,
    partitionKey,
    sequenceNumber,
    approximateArrivalTimestamp: 0,
    subSequenceNumber: 0,
  });
const hashOf = (text: string) => keyHash(Buffer.from(text), 0);
/** Every character as \uXXXX. */
const escaped = (key: string) =>
  Array.from({ length: key.length }, (_, index) => {
    return `\\u${key.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }).join("");

const anyKey = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0, max: 0x1f_fff })), {
    minLength: 1,
    maxLength: 20,
  })
  .map((points) => Buffer.from(String.fromCodePoint(...points)).toString());

describe("the hash of a partition key", () => {
  it("depends on the key alone, however its text escapes it", () => {
    fc.assert(
      fc.property(anyKey, fc.base64String(), (key, data) => {
        const plain = record(key);
        expect(hashOf(record(key, data, "77"))).toBe(hashOf(plain));
        const other = plain.replace(
          /"partitionKey":".*","sequenceNumber/s,
          () => `"partitionKey":"${escaped(key)}","sequenceNumber`,
        );
        expect(hashOf(other)).toBe(hashOf(plain));
      }),
    );
  });

  it("spreads keys evenly over every number of lanes", () => {
    for (const key of [(n: number) => `user-${n}`, (n: number) => String(n * 16)]) {
      const hashes = Array.from({ length: 4_000 }, (_, n) => hashOf(record(key(n))));
      for (let lanes = 2; lanes <= 32; lanes += 1) {
        const counts = new Array<number>(lanes).fill(0);
        for (const hash of hashes) counts[hash % lanes] = (counts[hash % lanes] ?? 0) + 1;
        expect(Math.max(...counts)).toBeLessThan((1.5 * 4_000) / lanes);
      }
    }
  });
});

describe("records that are dealt", () => {
  it("are all there, in order, in the part that was chosen, and outlive their batch", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1 }), { maxLength: 50 }),
        fc.integer({ min: 1, max: 8 }),
        fc.nat(50),
        (keys, parts, split) => {
          const records = keys.map((key, index) => record(key, undefined, String(index)));
          // As events of a subscription that were put together.
          const batch = RecordBatch.concat([
            batchOf(records.slice(0, split)),
            batchOf(records.slice(split)),
          ]);
          const partOf = (json: Buffer, start: number) => keyHash(json, start) % parts;
          const dealt = batch.dealt(parts, partOf);
          for (const piece of batch.pieces) if (piece.length > 1) piece.fill(0);
          const seen = dealt.flatMap(({ part, first, records: some }) => {
            expect(some.jsonAt(0).toString()).toBe(records[first]);
            const numbers = Array.from({ length: some.count }, (_, n) => {
              expect(hashOf(some.jsonAt(n).toString()) % parts).toBe(part);
              return Number(some.position(n).sequenceNumber);
            });
            expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
            expect(Buffer.concat(some.pieces).toString()).toBe(
              numbers.map((n) => records[n]).join(","),
            );
            return numbers;
          });
          expect(seen.toSorted((a, b) => a - b)).toEqual([...keys.keys()]);
        },
      ),
    );
  });
});
