// The buffer pool lends a piece of memory to one owner at a time.

import fc from "fast-check";
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

test("lends less than a quarter more than was asked for, whatever was given back before", () => {
  const sizes = fc.array(fc.integer({ min: 1_000, max: 4_000_000 }), { maxLength: 30 });
  fc.assert(
    fc.property(sizes, (asked) => {
      for (const bytes of asked) {
        const buffer = takeBuffer(bytes);
        expect(buffer.length).toBeGreaterThanOrEqual(bytes);
        expect(buffer.length).toBeLessThan(bytes * 1.25);
        giveBuffer(buffer);
      }
    }),
    { numRuns: 50 },
  );
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
