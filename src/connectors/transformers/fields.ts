// `fields`: an object with only some fields, renamed, such as
// `id, user.name as name, @partitionKey as key`. A name with @ is about the record. A field that is
// missing is left out.

import type { SourceRecord } from "../pipeline.ts";

export interface Field {
  readonly path: readonly string[];
  readonly name: string;
}

const RECORD_FIELDS = {
  "@partitionKey": ({ partitionKey }) => partitionKey,
  "@sequenceNumber": ({ sequenceNumber }) => sequenceNumber,
  "@subSequenceNumber": ({ subSequenceNumber }) => subSequenceNumber,
  "@shardId": ({ shardId }) => shardId,
  "@arrival": ({ approximateArrivalTimestamp }) =>
    new Date(approximateArrivalTimestamp).toISOString(),
} satisfies Record<string, (record: SourceRecord) => unknown>;

/** @returns what is wrong, as a string. */
export function parseFields(text: string): readonly Field[] | string {
  const fields: Field[] = [];
  for (const part of text.split(",").map((each) => each.trim())) {
    const [, path = "", , name] = /^(\S+)(\s+as\s+(\S+))?$/.exec(part) ?? [];
    if (path === "") return `"${part}" is not a field; write PATH, or PATH as NAME`;
    if (path.startsWith("@") && !isRecordField(path)) {
      return `${path} is unknown; allowed: ${Object.keys(RECORD_FIELDS).join(", ")}`;
    }
    const last = path.split(".").at(-1) ?? path;
    fields.push({ path: pathOf(path), name: name ?? last.replace(/^@/, "") });
  }
  return fields;
}

export function pathOf(text: string): readonly string[] {
  return text.split(".");
}

export function project(
  object: unknown,
  record: SourceRecord,
  fields: readonly Field[],
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const { path, name } of fields) {
    const value = valueAt(object, record, path);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

export function valueAt(object: unknown, record: SourceRecord, path: readonly string[]): unknown {
  const [first = ""] = path;
  if (isRecordField(first)) return RECORD_FIELDS[first](record);
  return path.reduce<unknown>(
    (value, name) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined,
    object,
  );
}

function isRecordField(name: string): name is keyof typeof RECORD_FIELDS {
  return Object.hasOwn(RECORD_FIELDS, name);
}
