// What a child gets in one call, where the person has a say in it: not more records or bytes than wanted, and small
// batches gathered for a while. The names are those of Lambda's event source mapping.

import { underAny } from "../signals.ts";
import type { Clock } from "../clock.ts";
import { type Batch, RecordBatch } from "../model/batch.ts";

export interface ShapeSettings {
  readonly maxBatchRecords?: number | undefined;
  /** Of the records as the child reads them: base64 and names included. */
  readonly maxBatchBytes?: number | undefined;
  /** How long to gather records before a child is called; 0 = not at all. */
  readonly maxBatchWindowMs: number;
}

/** What is gathered in a window ends with so much, whatever the settings allow: it is outside of the byte budget. */
const GATHER_LIMIT_BYTES = 6 * 1024 * 1024;

/** The records in order, in parts that keep to the limits; a record that is too large alone is a part of its own. */
export function limited(records: RecordBatch, settings: ShapeSettings): readonly RecordBatch[] {
  const maxRecords = settings.maxBatchRecords ?? Number.POSITIVE_INFINITY;
  const maxBytes = settings.maxBatchBytes ?? Number.POSITIVE_INFINITY;
  if (records.count <= maxRecords && records.json.length <= maxBytes) return [records];
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

/** Batches put together until the window is over or enough is there; the shard's end never waits. */
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

/** What comes next. Nobody awaits it while the child is at work: its failure waits until somebody does. */
function next(source: AsyncIterator<Batch>): Promise<IteratorResult<Batch>> {
  const coming = source.next();
  coming.catch(() => undefined);
  return coming;
}

function joined(first: Batch, second: Batch): Batch {
  const misplaced = [...(first.misplaced ?? []), ...(second.misplaced ?? [])];
  return {
    ...second,
    records: RecordBatch.concat([first.records, second.records]),
    ...(misplaced.length > 0 && { misplaced }),
  };
}

function isFull({ records, shardEnd }: Batch, settings: ShapeSettings): boolean {
  const maxRecords = settings.maxBatchRecords ?? Number.POSITIVE_INFINITY;
  const maxBytes = Math.min(settings.maxBatchBytes ?? GATHER_LIMIT_BYTES, GATHER_LIMIT_BYTES);
  return shardEnd !== undefined || records.count >= maxRecords || records.json.length >= maxBytes;
}

/** What comes in time; `undefined` when nothing does. The promise is still there to be waited for. */
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
