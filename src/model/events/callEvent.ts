// Events of calls to services and of samples: what metrics are made of.

/**
 * - `ok`: the service did what the call asked for;
 * - `conflict`: a conditional write found another state than expected, which is no failure;
 * - `aborted`: the daemon did not need the result any more;
 * - any other: how the call failed, as in aws/errors.ts.
 */
export type CallOutcome =
  | "ok"
  | "conflict"
  | "aborted"
  | "throttled"
  | "notFound"
  | "denied"
  | "unreachable"
  | "other";

export type CallEvent =
  /** One call to a service of AWS has ended. */
  | {
      readonly type: "serviceCall";
      readonly service: string;
      /** The name of the operation in the service's API. */
      readonly operation: string;
      /** The shard that the call reads. */
      readonly shardId?: string;
      readonly elapsedMs: number;
      /** The size of the response's body, where it was kept as bytes. */
      readonly bytes?: number;
      readonly outcome: CallOutcome;
    }
  /** One operation on the lease table has ended; a scan may be several calls. */
  | {
      readonly type: "leaseCall";
      readonly operation: LeaseOperation;
      /** Absent for a scan. */
      readonly shardId?: string;
      readonly elapsedMs: number;
      readonly outcome: "ok" | "conflict" | "failed" | "aborted";
    }
  /** The daemon's own use of the machine. Sampled while somebody observes the daemon. */
  | {
      readonly type: "daemonSampled";
      /** CPU time of the daemon since its start. */
      readonly cpuMs: number;
      readonly rssBytes: number;
      readonly heapBytes: number;
      /** The part of the time since the last sample in which the event loop was busy: 0 to 1. */
      readonly loopBusy: number;
      /** How late the sleeps since the last sample ended at most; 0 without sleeps. */
      readonly loopDelayMs: number;
      /** Records that are fetched and not delivered yet, of all shards. */
      readonly bufferedBytes: number;
      readonly bufferLimitBytes: number;
    }
  /** A child's use of the machine. Sampled while somebody observes the daemon. */
  | {
      readonly type: "childSampled";
      readonly shardId: string;
      readonly pid: number;
      /** CPU time of the child's process since its start, and of its children that have ended. */
      readonly cpuMs: number;
      readonly rssBytes: number;
    };

export type LeaseOperation =
  | "scan"
  | "read"
  | "create"
  | "take"
  | "renew"
  | "checkpoint"
  | "release"
  | "handOver"
  | "requestHandover"
  | "delete";
