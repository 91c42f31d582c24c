// Base64 of short payloads, straight into the batch. Longer ones are encoded by the runtime, by way of a string.

import type { ByteSource } from "./byteSource.ts";

/** Below this the loop is faster than two calls of the runtime. */
export const SHORT_PAYLOAD_BYTES = 300;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;
/** For every 12 bits their two characters, as they stand in memory one after the other. */
const PAIRS = Uint16Array.from(
  { length: 4096 },
  (_, bits) => ALPHABET.charCodeAt(bits >> 6) | (ALPHABET.charCodeAt(bits & 63) << 8),
);

/** Writes the text of `start` to `end` into `out` at `to`, where there is room; returns where it ends. */
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
