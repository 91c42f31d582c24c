// A batch that is freed gives its memory to later batches. A batch that is not freed keeps it.

import { expect, test } from "vitest";
import { RecordBatch } from "../../src/model/batch.ts";
import { BatchWriter } from "../../src/records/batchWriter.ts";
import { sourceOf, TextPiece } from "../../src/records/byteSource.ts";

const DATA = 100_000;

/** One record with a payload of one character. */
function batchOf(character: string, sizeBytes = DATA + 1_000): RecordBatch {
  const writer = new BatchWriter(sizeBytes);
  const piece = (text: string) => {
    const made = new TextPiece();
    made.set(sourceOf(text), 0, text.length);
    return made;
  };
  writer.data(piece(character.repeat(DATA)));
  writer.close(piece("key"), piece("1234"), 0, 0);
  return writer.finish();
}

const text = (batch: RecordBatch) => batch.at(0).data[0];
const memoryOf = (batch: RecordBatch) => batch.pieces[0]?.buffer;

test("gives the memory of a freed batch to the next one", () => {
  const first = batchOf("A");
  const memory = memoryOf(first);
  first.free();
  const second = batchOf("B");
  expect(memoryOf(second) === memory).toBe(true);
  expect(text(second)).toBe("B");
});

test.each([
  ["a small buffer", 1_000],
  ["a buffer from the pool", 70_000],
])("gives the memory of a batch that outgrew %s to the next one", (_, sizeBytes) => {
  const grown = batchOf("A", sizeBytes);
  const memory = memoryOf(grown);
  grown.free();
  expect(memoryOf(batchOf("B", sizeBytes)) === memory).toBe(true);
});

test("knows the memory that a batch keeps, also beyond its text", () => {
  const roomy = batchOf("A", 2 * DATA);
  expect(roomy.memoryBytes).toBe(memoryOf(roomy)?.byteLength);
  expect(roomy.memoryBytes).toBeGreaterThan(1.9 * roomy.textBytes);
  expect(roomy.slice(0, 1).memoryBytes).toBeGreaterThanOrEqual(roomy.textBytes);
  expect(RecordBatch.empty.memoryBytes).toBe(0);
});

test("keeps the memory of batches that were put together until the whole is freed", () => {
  const parts = [batchOf("A"), batchOf("B")];
  const memory = parts.map(memoryOf);
  const kept = parts.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  const whole = RecordBatch.concat(parts);
  expect(whole.memoryBytes).toBe(kept);
  expect([batchOf("X"), batchOf("Y")].map(memoryOf)).not.toContain(memory[0]);
  expect([whole.at(0).data[0], whole.at(1).data[0]]).toEqual(["A", "B"]);
  whole.free();
  const again = [batchOf("C"), batchOf("D")].map(memoryOf);
  expect(again.every((each) => memory.includes(each))).toBe(true);
});

test("leaves the memory of a batch alone while it is not freed", () => {
  const kept = batchOf("A");
  const part = kept.slice(0, 1);
  part.free();
  for (const character of "BCD") batchOf(character).free();
  expect(text(kept)).toBe("A");
});
