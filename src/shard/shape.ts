// Shapes what a child receives in one call, as the settings require: it limits the records and
// bytes of a batch, and gathers small batches for a while. The setting names are those of Lambda's
// event source mapping.

import type { Clock } from "../clock.ts";
import { type Batch, joined, type RecordBatch } from "../model/batch.ts";
import { underAny } from "../signals.ts";

export interface ShapeSettings {
  readonly maxBatchRecords?: number | undefined;
  /** Size of the records as the child reads them, base64 and property names included. */
  readonly maxBatchBytes?: number | undefined;
  /** How long to gather records before a call, in milliseconds; 0 = not at all. */
  readonly maxBatchWindowMs: number;
}

/** Gathering stops at this size, whatever the settings say: the byte budget does not count it. */
const GATHER_LIMIT_BYTES = 6 * 1024 * 1024;

/**
 * The records in order, in parts within the limits. A record above the limit is a part of its own.
 */
export function limited(records: RecordBatch, settings: ShapeSettings): readonly RecordBatch[] {
  const maxRecords = settings.maxBatchRecords ?? Number.POSITIVE_INFINITY;
  const maxBytes = settings.maxBatchBytes ?? Number.POSITIVE_INFINITY;
  if (records.count <= maxRecords && records.textBytes <= maxBytes) return [records];
  const parts: RecordBatch[] = [];
  let from = 0;
  let bytes = 0;
  for (let index = 0; index < records.count; index += 1) {
    const size = records.jsonAt(index).length + 1;
    if (index > from && (index - from >= maxRecords || bytes + size > maxBytes)) {
      parts.push(records.slice(from, index));
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  return [...parts, records.slice(from)];
}

/** Joins batches until the window ends or the joined batch is full. The shard's end never waits. */
export async function* gathered(
  batches: AsyncIterable<Batch>,
  settings: ShapeSettings,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  const source = batches[Symbol.asyncIterator]();
  let coming = next(source);
  try {
    for (;;) {
      const first = await coming;
      if (first.done) return;
      let batch = first.value;
      coming = next(source);
      const untilMs = clock.monotonicMs() + settings.maxBatchWindowMs;
      while (batch.records.count > 0 && !isFull(batch, settings)) {
        const more = await within(coming, untilMs - clock.monotonicMs(), clock, signal);
        if (!more || more.done) break;
        batch = joined(batch, more.value);
        coming = next(source);
      }
      if (signal.aborted) return;
      yield batch;
      if (batch.shardEnd) return;
    }
  } finally {
    await source.return?.();
  }
}

/**
 * Requests the next batch. Nobody awaits the promise while the child works. The empty handler keeps
 * a rejection until then from ending the process.
 */
function next(source: AsyncIterator<Batch>): Promise<IteratorResult<Batch>> {
  const coming = source.next();
  coming.catch(() => undefined);
  return coming;
}

function isFull({ records, shardEnd }: Batch, settings: ShapeSettings): boolean {
  const maxRecords = settings.maxBatchRecords ?? Number.POSITIVE_INFINITY;
  const maxBytes = Math.min(settings.maxBatchBytes ?? GATHER_LIMIT_BYTES, GATHER_LIMIT_BYTES);
  return shardEnd !== undefined || records.count >= maxRecords || records.textBytes >= maxBytes;
}

/** What `coming` resolves to in time; else `undefined`, and the caller can still await `coming`. */
async function within<T>(
  coming: Promise<T>,
  leftMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<T | undefined> {
  if (leftMs <= 0) return undefined;
  const over = new AbortController();
  return underAny([over.signal, signal], async (either) => {
    try {
      return await Promise.race([coming, clock.sleep(leftMs, either).then(() => undefined)]);
    } finally {
      over.abort();
    }
  });
}
