// Names with placeholders: `clicks/{json:tenant}/dt={time:yyyy-MM-dd}/`. What they become depends
// on the record alone, so that a record that is read again gets the same name.

import { UserError } from "../model/errors.ts";
import type { SourceRecord } from "./pipeline.ts";
import { pathOf, valueAt } from "./transformers/fields.ts";

export type PlaceName = (object: unknown, record: SourceRecord) => string;

const MISSING = "__missing__";
/** What is known of a record, by its name in a placeholder. */
const OF_RECORD: Readonly<Record<string, (record: SourceRecord) => string>> = {
  shardId: ({ shardId }) => shardId,
  sequenceNumber: ({ sequenceNumber }) => sequenceNumber,
  subSequenceNumber: ({ subSequenceNumber }) => String(subSequenceNumber),
  partitionKey: ({ partitionKey }) => encodeURIComponent(partitionKey),
};
const FORMS = `{time:yyyy-MM-dd-HH-mm-ss} (when the record arrived, UTC), {json:FIELD}, ${Object.keys(
  OF_RECORD,
)
  .map((name) => `{${name}}`)
  .join(", ")}`;

/** @throws UserError when a placeholder is unknown. */
export function placeName(template: string): PlaceName {
  const parts = template.split(/(\{[^}]*\})/).map((part) => partOf(part, template));
  return (object, record) => parts.map((part) => part(object, record)).join("");
}

function partOf(part: string, template: string): PlaceName {
  if (!part.startsWith("{")) return () => part;
  const [, kind = "", argument = ""] = /^\{(\w+):?(.*)\}$/.exec(part) ?? [];
  const ofRecord = Object.hasOwn(OF_RECORD, kind) ? OF_RECORD[kind] : undefined;
  if (ofRecord && argument === "") return (_, record) => ofRecord(record);
  if (kind === "json" && argument !== "") {
    const path = pathOf(argument);
    return (object, record) => textOf(valueAt(object, record, path));
  }
  if (kind === "time" && argument !== "") {
    return (_, { approximateArrivalTimestamp }) => timeText(approximateArrivalTimestamp, argument);
  }
  throw new UserError(`${template} has the unknown placeholder ${part}. Allowed: ${FORMS}`);
}

/** A value never adds a level to the name. */
function textOf(value: unknown): string {
  if (value === undefined || value === null || value === "") return MISSING;
  return encodeURIComponent(typeof value === "object" ? JSON.stringify(value) : String(value));
}

function timeText(timeMs: number, pattern: string): string {
  const [date = "", time = ""] = new Date(timeMs).toISOString().split("T");
  const [yyyy = "", MM = "", dd = ""] = date.split("-");
  const [HH = "", mm = "", ss = ""] = time.slice(0, 8).split(":");
  const parts: Readonly<Record<string, string>> = { yyyy, MM, dd, HH, mm, ss };
  return pattern.replace(/yyyy|MM|dd|HH|mm|ss/g, (name) => parts[name] ?? name);
}
