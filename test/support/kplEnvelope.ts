// Reads a KPL envelope, independently of the program's own reader and writer. `undefined` when the
// payload is a plain record.

import { createHash } from "node:crypto";

export interface Decoded {
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  readonly data: Buffer;
}

const MAGIC = "f3899ac2";

export function decodeEnvelope(payload: Buffer): readonly Decoded[] | undefined {
  if (payload.length <= 20 || payload.toString("hex", 0, 4) !== MAGIC) return undefined;
  const body = payload.subarray(4, -16);
  if (!createHash("md5").update(body).digest().equals(payload.subarray(-16))) return undefined;
  const keys: string[] = [];
  const hashKeys: string[] = [];
  const records: Decoded[] = [];
  for (const [field, value] of fieldsOf(body)) {
    if (!Buffer.isBuffer(value)) throw new Error(`field ${field} is a number`);
    if (field === 1) keys.push(value.toString());
    else if (field === 2) hashKeys.push(value.toString());
    else records.push(recordOf(value, keys, hashKeys));
  }
  return records;
}

function recordOf(body: Buffer, keys: readonly string[], hashKeys: readonly string[]): Decoded {
  const fields = new Map(fieldsOf(body));
  const key = keys[Number(fields.get(1))];
  const data = fields.get(3);
  if (key === undefined || !Buffer.isBuffer(data)) throw new Error("a required field is missing");
  const hashIndex = fields.get(2);
  const explicitHashKey = hashIndex === undefined ? undefined : hashKeys[Number(hashIndex)];
  return { partitionKey: key, explicitHashKey, data };
}

function fieldsOf(bytes: Buffer): [number, number | Buffer][] {
  const fields: [number, number | Buffer][] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) {
      fields.push([tag >> 3, value]);
    } else {
      fields.push([tag >> 3, bytes.subarray(at, at + value)]);
      at += value;
    }
  }
  return fields;
}
