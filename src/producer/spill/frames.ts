// The frames of a spill file: a record that was taken, or the number of one that is done.
//
//   length   4 bytes, little-endian: of the payload
//   CRC32C   4 bytes, little-endian: of the payload
//   payload  kind (1 = taken, 2 = done), number (8 bytes); and for a taken record: stream,
//            partition key and explicit hash key, each with 2 bytes of length, and the data
//
// A frame that is cut off, or whose checksum is wrong, ends the file: it was being written when the
// machine stopped.

import type { UserRecord } from "../record.ts";

const TAKEN = 1;
const DONE = 2;
const HEAD_BYTES = 8;
const NUMBER_BYTES = 9;
const LENGTH_BYTES = 2;

export interface Taken {
  readonly number: number;
  readonly streamName: string;
  readonly record: UserRecord;
}

export type Frame =
  | ({ readonly kind: "taken" } & Taken)
  | { readonly kind: "done"; number: number };

export function takenFrame({ number, streamName, record }: Taken): Buffer {
  const texts = [streamName, record.partitionKey, record.explicitHashKey ?? ""];
  const sizes = texts.map((text) => Buffer.byteLength(text));
  const textBytes = sizes.reduce((sum, size) => sum + LENGTH_BYTES + size, 0);
  const frame = start(TAKEN, number, textBytes + record.data.byteLength);
  let at = HEAD_BYTES + NUMBER_BYTES;
  for (const [index, text] of texts.entries()) {
    at = frame.writeUInt16LE(sizes[index] ?? 0, at);
    at += frame.write(text, at);
  }
  frame.set(record.data, at);
  return sealed(frame);
}

export function doneFrame(number: number): Buffer {
  return sealed(start(DONE, number, 0));
}

/** The payload of a taken frame's record, as a view. */
export function dataOf(frame: Buffer, { data }: UserRecord): Buffer {
  return frame.subarray(frame.length - data.byteLength);
}

/** @returns the frames, and where the first one begins that is damaged or cut off. */
export function readFrames(file: Buffer): { readonly frames: Frame[]; readonly end: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= file.length) {
    const end = at + HEAD_BYTES + file.readUInt32LE(at);
    if (end > file.length || end < at + HEAD_BYTES + NUMBER_BYTES) break;
    const payload = file.subarray(at + HEAD_BYTES, end);
    if (crc32c(payload) !== file.readUInt32LE(at + 4)) break;
    frames.push(frameOf(payload));
    at = end;
  }
  return { frames, end: at };
}

function frameOf(payload: Buffer): Frame {
  const number = Number(payload.readBigUInt64LE(1));
  if (payload[0] === DONE) return { kind: "done", number };
  let at = NUMBER_BYTES;
  const text = () => {
    const length = payload.readUInt16LE(at);
    const from = at + LENGTH_BYTES;
    at = from + length;
    return payload.toString("utf8", from, at);
  };
  const [streamName, partitionKey, explicitHashKey] = [text(), text(), text()];
  const hashed = explicitHashKey === "" ? {} : { explicitHashKey };
  const record = { partitionKey, data: payload.subarray(at), ...hashed };
  return { kind: "taken", number, streamName, record };
}

function start(kind: number, number: number, contentBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + NUMBER_BYTES + contentBytes);
  frame.writeUInt32LE(NUMBER_BYTES + contentBytes, 0);
  frame.writeUInt8(kind, HEAD_BYTES);
  frame.writeBigUInt64LE(BigInt(number), HEAD_BYTES + 1);
  return frame;
}

function sealed(frame: Buffer): Buffer {
  frame.writeUInt32LE(crc32c(frame.subarray(HEAD_BYTES)), 4);
  return frame;
}

/** The polynomial of Castagnoli, reflected. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** The checksum of RFC 3720. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at += 1) {
    crc = (TABLE[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
