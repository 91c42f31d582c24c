// The reader of a trial's shard: it yields batch after batch from the queue, and then the chosen
// end.

import type { Emit } from "../events.ts";
import { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { ReadShard } from "../stream/reader.ts";
import type { MemoryLease } from "./memoryLease.ts";
import type { ShardQueue } from "./shardQueue.ts";

/** What happens to a shard after its last record. */
export const ENDS = ["shardEnded", "leaseLost", "shutdownRequested"] as const;
export type End = (typeof ENDS)[number];

export interface QueueReading {
  readonly end: End;
  readonly emit: Emit;
  /** Receives the positions of each batch before the child receives the records. */
  readonly delivering: (shardId: string, positions: readonly Position[]) => void;
}

/** How long a batch that is not full waits for more records. */
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
      const { count, textBytes } = records;
      delivering(
        shardId,
        Array.from({ length: count }, (_, index) => records.position(index)),
      );
      emit({
        type: "fetched",
        shardId,
        records: count,
        bytes: textBytes,
        payloadBytes: textBytes,
        millisBehindLatest: 0,
      });
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
