// Reports every operation on the lease table as an event, with its duration.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import type { LeaseOperation } from "../../model/events/callEvent.ts";
import type { LeaseTable } from "../table.ts";

export function watchedTable(table: LeaseTable, emit: Emit, clock: Clock): LeaseTable {
  async function watch<T>(
    operation: LeaseOperation,
    signal: AbortSignal,
    shardId: string | undefined,
    run: () => Promise<T>,
  ): Promise<T> {
    const startedMs = clock.monotonicMs();
    const report = (outcome: "ok" | "conflict" | "failed" | "aborted") =>
      emit({
        type: "leaseCall",
        operation,
        ...(shardId !== undefined && { shardId }),
        elapsedMs: clock.monotonicMs() - startedMs,
        outcome,
      });
    try {
      const result = await run();
      report(result === "conflict" ? "conflict" : "ok");
      return result;
    } catch (error) {
      report(signal.aborted ? "aborted" : "failed");
      throw error;
    }
  }
  return {
    ...table,
    scan: (signal) => watch("scan", signal, undefined, () => table.scan(signal)),
    read: (shardId, signal) => watch("read", signal, shardId, () => table.read(shardId, signal)),
    create: (lease, signal) =>
      watch("create", signal, lease.shardId, () => table.create(lease, signal)),
    take: (lease, workerId, signal) =>
      watch("take", signal, lease.shardId, () => table.take(lease, workerId, signal)),
    renew: (lease, signal, throughputKBps) =>
      watch("renew", signal, lease.shardId, () => table.renew(lease, signal, throughputKBps)),
    checkpoint: (lease, position, signal) =>
      watch("checkpoint", signal, lease.shardId, () => table.checkpoint(lease, position, signal)),
    release: (lease, signal) =>
      watch("release", signal, lease.shardId, () => table.release(lease, signal)),
    handOver: (lease, signal) =>
      watch("handOver", signal, lease.shardId, () => table.handOver(lease, signal)),
    requestHandover: (lease, workerId, signal) =>
      watch("requestHandover", signal, lease.shardId, () =>
        table.requestHandover(lease, workerId, signal),
      ),
    delete: (lease, signal) =>
      watch("delete", signal, lease.shardId, () => table.delete(lease, signal)),
  };
}
