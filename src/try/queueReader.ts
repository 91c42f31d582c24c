// A shard of a trial as the consumer reads it: batch after batch from its queue, and then the end that was asked for.

import type { Emit } from "../events.ts";
import { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { ReadShard } from "../stream/reader.ts";
import type { MemoryLease } from "./memoryLease.ts";
import type { ShardQueue } from "./shardQueue.ts";

/** How a shard's life ends when its records are through. */
export const ENDS = ["shardEnded", "leaseLost", "shutdownRequested"] as const;
export type End = (typeof ENDS)[number];

export interface QueueReading {
  readonly end: End;
  readonly emit: Emit;
  /** Told the records of each batch before the child is. */
  readonly delivering: (shardId: string, positions: readonly Position[]) => void;
}

/** A batch that is not full waits so long for more. */
const LINGER_MS = 500;

export function readQueue(
  lease: MemoryLease,
  queue: ShardQueue,
  { end, emit, delivering }: QueueReading,
): ReadShard {
  const { shardId } = lease;
  return async function* (_shard, _from, signal) {
    for (;;) {
      const records = await queue.take(LINGER_MS, signal);
      if (!records) break;
      const { count, json } = records;
      delivering(
        shardId,
        Array.from({ length: count }, (_, index) => records.position(index)),
      );
      emit({ type: "fetched", shardId, records: count, bytes: json.length });
      yield { records, millisBehindLatest: 0 };
    }
    if (signal.aborted) return;
    if (end === "leaseLost") lease.lose();
    else if (end === "shutdownRequested") lease.requestStop();
    else {
      yield {
        records: RecordBatch.empty,
        millisBehindLatest: undefined,
        shardEnd: { children: [] },
      };
    }
  };
}
