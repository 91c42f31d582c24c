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

test("gives the memory of a freed batch to the next one", () => {
  const first = batchOf("A");
  const memory = first.json.buffer;
  first.free();
  const second = batchOf("B");
  expect(second.json.buffer === memory).toBe(true);
  expect(text(second)).toBe("B");
});

test.each([
  ["a small buffer", 1_000],
  ["a buffer from the pool", 70_000],
])("gives the memory of a batch that outgrew %s to the next one", (_, sizeBytes) => {
  const grown = batchOf("A", sizeBytes);
  const memory = grown.json.buffer;
  grown.free();
  expect(batchOf("B", sizeBytes).json.buffer === memory).toBe(true);
});

test("knows the memory that a batch keeps, also beyond its text", () => {
  const roomy = batchOf("A", 2 * DATA);
  expect(roomy.memoryBytes).toBe(roomy.json.buffer.byteLength);
  expect(roomy.memoryBytes).toBeGreaterThan(1.9 * roomy.json.length);
  expect(roomy.slice(0, 1).memoryBytes).toBeGreaterThanOrEqual(roomy.json.length);
  expect(RecordBatch.empty.memoryBytes).toBe(0);
});

test("gives the memory of batches that were put together to the next ones", () => {
  const parts = [batchOf("A"), batchOf("B")];
  const whole = RecordBatch.concat(parts);
  for (const part of parts) part.free();
  expect([whole.at(0).data[0], whole.at(1).data[0]]).toEqual(["A", "B"]);
  const memory = whole.json.buffer;
  expect(whole.memoryBytes).toBe(memory.byteLength);
  whole.free();
  const again = RecordBatch.concat([batchOf("C"), batchOf("D")]);
  expect(again.json.buffer === memory).toBe(true);
  expect([again.at(0).data[0], again.at(1).data[0]]).toEqual(["C", "D"]);
});

test("leaves the memory of a batch alone while it is not freed", () => {
  const kept = batchOf("A");
  const part = kept.slice(0, 1);
  part.free();
  for (const character of "BCD") batchOf(character).free();
  expect(text(kept)).toBe("A");
});
