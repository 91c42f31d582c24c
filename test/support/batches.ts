// Batches for tests, built as the stream builds them.

import { RecordBatch } from "../../src/model/batch.ts";

export interface TestRecord {
  readonly sequenceNumber: string;
  readonly subSequenceNumber?: number;
  readonly data?: string;
  readonly approximateArrivalTimestamp?: number;
}

export function batchOf(records: readonly TestRecord[]): RecordBatch {
  const texts = records.map(
    ({ sequenceNumber, subSequenceNumber = 0, data = "eA==", approximateArrivalTimestamp = 0 }) =>
      `{"data":"${data}","partitionKey":"k","sequenceNumber":"${sequenceNumber}","approximateArrivalTimestamp":${approximateArrivalTimestamp},"subSequenceNumber":${subSequenceNumber},"action":"record"}`,
  );
  const starts = new Uint32Array(texts.length + 1);
  texts.forEach((text, index) => {
    starts[index + 1] = (starts[index] ?? 0) + Buffer.byteLength(text) + 1;
  });
  return new RecordBatch([{ json: Buffer.from(texts.join(",")), starts }]);
}

/** The records as a child reads them. */
export function textOf(batch: RecordBatch): string {
  return Buffer.concat(batch.pieces).toString();
}

/** Sequence numbers `from` up to and including `to`. */
export function numbered(from: number, to: number): RecordBatch {
  return batchOf(
    Array.from({ length: to - from + 1 }, (_, index) => ({ sequenceNumber: String(from + index) })),
  );
}

export function sequenceNumbers(batch: RecordBatch): readonly string[] {
  return Array.from({ length: batch.count }, (_, index) => batch.position(index).sequenceNumber);
}
