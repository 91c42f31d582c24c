// The buffer pool lends a piece of memory to one owner at a time.

import { expect, test } from "vitest";
import { giveBuffer, ownerOf, type PooledBuffer, takeBuffer } from "../src/buffers.ts";

const SIZE_BYTES = 300_000;

test("lends a buffer that was given back again", () => {
  const first = takeBuffer(SIZE_BYTES);
  giveBuffer(ownerOf(first.subarray(10, 20)));
  const second = takeBuffer(SIZE_BYTES);
  expect(second.buffer === first.buffer).toBe(true);
  expect(second.length).toBe(second.buffer.byteLength);
  giveBuffer(second);
});

test("refuses a buffer that is given back a second time", () => {
  const buffer = takeBuffer(SIZE_BYTES);
  giveBuffer(buffer);
  expect(() => giveBuffer(buffer)).toThrow("did not lend");
});

test("refuses a part of a buffer", () => {
  const part = takeBuffer(SIZE_BYTES).subarray(1) as PooledBuffer;
  expect(() => giveBuffer(part)).toThrow("whole buffer");
});

test("refuses memory that it did not lend", () => {
  expect(() => ownerOf(Buffer.from("from Node's slab"))).toThrow("not on loan");
  expect(() => giveBuffer(Buffer.allocUnsafeSlow(SIZE_BYTES) as PooledBuffer)).toThrow("not lend");
});
