// The lease file after a crash: whatever the crash left of the last line, the rows are those after
// the last complete batch. Any other damage is reported.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Batch,
  batchLine,
  DamagedJournal,
  readJournal,
  snapshotLine,
} from "../../../src/leases/file/journal.ts";
import type { Item } from "../../../src/leases/table/dynamoItem.ts";

const key = fc.constantFrom("a", "b", "c", "shardId-000000000000");
const row: fc.Arbitrary<Item> = fc.record({
  leaseKey: fc.record({ S: key }),
  leaseCounter: fc.nat().map((n) => ({ N: String(n) })),
  // Text of every kind, with line ends and characters of several bytes.
  checkpoint: fc.record({ S: fc.string({ unit: "binary" }) }),
});
const batch: fc.Arbitrary<Batch> = fc
  .array(fc.tuple(key, fc.option(row, { nil: undefined })), { minLength: 1, maxLength: 4 })
  .map((entries) => new Map(entries));
const history = fc.record({
  rows: fc.dictionary(key, row).map((entries) => new Map(Object.entries(entries))),
  batches: fc.array(batch, { maxLength: 6 }),
});

function linesOf({ rows, batches }: { rows: Map<string, Item>; batches: Batch[] }): string[] {
  return [snapshotLine({ table: "words", pid: 7, rows }), ...batches.map(batchLine)];
}

/** The rows after the first `count` batches, computed without the journal. */
function rowsAfter(rows: ReadonlyMap<string, Item>, batches: readonly Batch[], count: number) {
  const now = new Map(rows);
  for (const [name, item] of batches.slice(0, count).flatMap((each) => [...each])) {
    now.delete(name);
    if (item) now.set(name, item);
  }
  return Object.fromEntries(now);
}

describe("the lease file", () => {
  test("cut at any byte holds the rows after the last complete batch", () => {
    fc.assert(
      fc.property(history, fc.nat(), (written, at) => {
        const lines = linesOf(written);
        const bytes = Buffer.from(lines.join(""));
        const least = Buffer.byteLength(lines[0] ?? "");
        const cut = least + (at % (bytes.length - least + 1));
        let complete = 0;
        for (let size = least; complete < written.batches.length; complete++) {
          size += Buffer.byteLength(lines[complete + 1] ?? "");
          if (size > cut) break;
        }
        const { rows, table, pid } = readJournal(bytes.subarray(0, cut).toString());
        expect(Object.fromEntries(rows)).toEqual(
          rowsAfter(written.rows, written.batches, complete),
        );
        expect({ table, pid }).toEqual({ table: "words", pid: 7 });
      }),
      { numRuns: 400 },
    );
  });

  test("with a last line of zeros, which a power failure leaves, loses only that line", () => {
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 1, max: 300 }),
        fc.boolean(),
        (written, zeros, end) => {
          const torn = `${"\0".repeat(zeros)}${end ? "\n" : ""}`;
          const { rows } = readJournal(linesOf(written).join("") + torn);
          const all = rowsAfter(written.rows, written.batches, written.batches.length);
          expect(Object.fromEntries(rows)).toEqual(all);
        },
      ),
    );
  });

  test("with a damaged byte before the last line is refused, and the line is named", () => {
    const withEnd = history.filter(({ batches }) => batches.length > 0);
    fc.assert(
      fc.property(withEnd, fc.nat(), (written, at) => {
        const lines = linesOf(written);
        const line = at % (lines.length - 1);
        const text = lines[line] ?? "";
        // Never the line's end: that damage joins two lines into one.
        const place = at % (text.length - 1);
        const other = text[place] === "!" ? "?" : "!";
        lines[line] = text.slice(0, place) + other + text.slice(place + 1);
        const read = () => readJournal(lines.join(""));
        expect(read).toThrow(DamagedJournal);
        expect(read).toThrow(`line ${line + 1} is damaged`);
      }),
    );
  });

  test.each([
    ["of another version", { format: "kinesis-multilang leases", version: 2 }, "version 2"],
    ["of something else", { format: "orders" }, "not a file of leases"],
  ])("%s is refused", async (_, head, message) => {
    const { crc32 } = await import("node:zlib");
    const json = JSON.stringify(head);
    const line = `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
    expect(() => readJournal(line)).toThrow(message);
  });
});
