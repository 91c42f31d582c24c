// Reads the record of a put: it is the message of which there are millions, so it is read by hand.
// The schema in messages.ts says the same, and a test compares the two.

import type { UserRecord } from "../record.ts";
import type { MessageId } from "./messages.ts";

/** Standard alphabet, padded. */
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export interface ReadPut {
  readonly stream: string | undefined;
  readonly record: UserRecord;
}

/** @returns the record, or why there is none. */
export function readPut(message: Readonly<Record<string, unknown>>): ReadPut | string {
  const { id, stream, partitionKey, explicitHashKey } = message;
  if (id !== undefined && !isMessageId(id)) return "id is neither text nor an integer from 0";
  if (typeof partitionKey !== "string") return "partitionKey is missing or not text";
  if (stream !== undefined && typeof stream !== "string") return "stream is not text";
  if (explicitHashKey !== undefined && typeof explicitHashKey !== "string") {
    return "explicitHashKey is not text";
  }
  const data = payloadOf(message);
  if (typeof data === "string") return data;
  const hashed = explicitHashKey === undefined ? {} : { explicitHashKey };
  return { stream, record: { partitionKey, data, ...hashed } };
}

export function isMessageId(id: unknown): id is MessageId {
  return typeof id === "string" || (Number.isSafeInteger(id) && Number(id) >= 0);
}

function payloadOf({ data, text, json }: Readonly<Record<string, unknown>>): Uint8Array | string {
  const given =
    Number(data !== undefined) + Number(text !== undefined) + Number(json !== undefined);
  if (given !== 1) return `exactly one of data, text and json is required; found ${given}`;
  if (json !== undefined) return Buffer.from(JSON.stringify(json));
  if (text !== undefined) return typeof text === "string" ? Buffer.from(text) : "text is not text";
  if (typeof data !== "string" || data.length % 4 !== 0 || !BASE64.test(data)) {
    return "data is not base64 (standard alphabet, padded); use text for plain text";
  }
  return Buffer.from(data, "base64");
}
