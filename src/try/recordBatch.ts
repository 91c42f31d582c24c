// Records made here, as the batch that a child reads.

import { RecordBatch } from "../model/batch.ts";

/** A record's JSON, in the form that RecordBatch describes. */
export function batchOf(records: readonly string[]): RecordBatch {
  if (records.length === 0) return RecordBatch.empty;
  const json = Buffer.from(records.join(","));
  const starts = new Uint32Array(records.length + 1);
  for (const [index, record] of records.entries()) {
    starts[index + 1] = (starts[index] ?? 0) + Buffer.byteLength(record) + 1;
  }
  return new RecordBatch(json, starts);
}
