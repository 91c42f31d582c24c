// How an emitter that writes files writes an object: NDJSON, CSV, or the bytes as they are.

import type { ConnectorValues } from "../config/connector/connectorKeys.ts";
import { UserError } from "../model/errors.ts";

/** Writes one object, its separator included. Throws if the format cannot hold it. */
export type Encode = (object: unknown) => string | Buffer;

type FormatChoice = Pick<ConnectorValues, "format" | "csvColumns" | "csvDelimiter">;

/** @throws UserError when the format needs more settings. */
export function chooseFormat({ format, csvColumns, csvDelimiter }: FormatChoice): Encode {
  switch (format) {
    case "ndjson":
      return ndjson;
    case "raw":
      return bytesOf;
    case "length-prefixed":
      return lengthPrefixed;
    case "csv":
      if (!csvColumns?.length) {
        throw new UserError("format = csv needs csvColumns, the fields in their order");
      }
      return csvRow(csvColumns, csvDelimiter === "\\t" ? "\t" : csvDelimiter);
  }
}

/** Text is a line as it is. Everything else is JSON. */
function ndjson(object: unknown): string {
  const text = typeof object === "string" ? object : JSON.stringify(jsonable(object));
  if (text === undefined) throw new Error("the object has no JSON form");
  return text.endsWith("\n") ? text : `${text}\n`;
}

function jsonable(object: unknown): unknown {
  return Buffer.isBuffer(object) ? object.toString("base64") : object;
}

function bytesOf(object: unknown): string | Buffer {
  if (Buffer.isBuffer(object) || typeof object === "string") return object;
  return JSON.stringify(object);
}

const LENGTH_BYTES = 4;

/** Four bytes, big-endian, and then so many bytes. */
function lengthPrefixed(object: unknown): Buffer {
  const bytes = Buffer.from(bytesOf(object));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function csvRow(columns: readonly string[], delimiter: string | undefined): Encode {
  const between = delimiter ?? ",";
  const cell = (value: unknown): string => {
    if (value === undefined || value === null) return "";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    const isPlain = !/["\r\n]/.test(text) && !text.includes(between);
    return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
  };
  return (object) => {
    if (typeof object !== "object" || object === null || Buffer.isBuffer(object)) {
      throw new Error("format = csv needs objects; use transformer = json or csv");
    }
    const fields = new Map(Object.entries(object));
    return `${columns.map((column) => cell(fields.get(column))).join(between)}\n`;
  };
}
