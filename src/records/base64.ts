// Encodes short payloads as base64, directly into the batch. The runtime encodes longer payloads;
// it makes a string first.

import type { ByteSource } from "./byteSource.ts";

/** Up to this length the loop is faster than two calls into the runtime. */
export const SHORT_PAYLOAD_BYTES = 300;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;
/** The two characters for every value of 12 bits, in the order in which they stand in memory. */
const PAIRS = Uint16Array.from(
  { length: 4096 },
  (_, bits) => ALPHABET.charCodeAt(bits >> 6) | (ALPHABET.charCodeAt(bits & 63) << 8),
);

/**
 * Encodes the bytes from `start` to `end` into `out` at `to`. The output has enough room.
 *
 * @returns the end of the text in `out`.
 */
export function encodeBase64(
  bytes: Buffer,
  start: number,
  end: number,
  out: ByteSource,
  to: number,
): number {
  const { view } = out;
  let from = start;
  let at = to;
  for (; from + 2 < end; from += 3, at += 4) {
    const bits =
      ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    view.setInt32(at, (PAIRS[bits >> 12] ?? 0) | ((PAIRS[bits & 4095] ?? 0) << 16), true);
  }
  if (from === end) return at;
  const hasTwo = from + 2 === end;
  const bits = ((bytes[from] ?? 0) << 16) | (hasTwo ? (bytes[from + 1] ?? 0) << 8 : 0);
  view.setUint16(at, PAIRS[bits >> 12] ?? 0, true);
  view.setUint16(at + 2, PAIRS[bits & 4095] ?? 0, true);
  if (!hasTwo) view.setUint8(at + 2, PAD);
  view.setUint8(at + 3, PAD);
  return at + 4;
}
