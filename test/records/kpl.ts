// Builds aggregates like the Kinesis Producer Library, and malformed ones.

import { createHash } from "node:crypto";

export interface UserRecord {
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  readonly data: Uint8Array;
}

const MAGIC = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);

export function aggregate(records: readonly UserRecord[]): Buffer {
  return sealed(message(records));
}

/** Magic, message, digest. */
export function sealed(content: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, content, createHash("md5").update(content).digest()]);
}

export function message(records: readonly UserRecord[]): Buffer {
  const keys = [...new Set(records.map(({ partitionKey }) => partitionKey))];
  const hashKeys = [...new Set(records.flatMap(({ explicitHashKey }) => explicitHashKey ?? []))];
  return Buffer.concat([
    ...keys.map((key) => field(1, Buffer.from(key))),
    ...hashKeys.map((key) => field(2, Buffer.from(key))),
    ...records.map(({ partitionKey, explicitHashKey, data }) =>
      record(
        keys.indexOf(partitionKey),
        explicitHashKey === undefined ? undefined : hashKeys.indexOf(explicitHashKey),
        data,
      ),
    ),
  ]);
}

export function record(key: number, hashKey: number | undefined, data: Uint8Array): Buffer {
  return field(
    3,
    Buffer.concat([
      number(1, key),
      hashKey === undefined ? Buffer.alloc(0) : number(2, hashKey),
      field(3, data),
    ]),
  );
}

/** A length-delimited field. */
export function field(id: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(id * 8 + 2), varint(content.length), content]);
}

export function number(id: number, value: number): Buffer {
  return Buffer.concat([varint(id * 8), varint(value)]);
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
