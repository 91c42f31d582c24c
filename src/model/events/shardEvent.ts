// Events of consuming a shard.

import type { Position } from "../position.ts";

export type ShardEvent =
  | {
      readonly type: "waitingForParents";
      readonly shardId: string;
    }
  | {
      readonly type: "shardStarted";
      readonly shardId: string;
      readonly position: Position;
      /** How long the child took to answer `initialize`. */
      readonly elapsedMs: number;
    }
  /** The child receives a batch; `batchProcessed` follows unless the child fails. */
  | {
      readonly type: "batchSent";
      readonly shardId: string;
      readonly pid: number;
      readonly records: number;
      readonly bytes: number;
      readonly millisBehindLatest: number | undefined;
      /** When Kinesis received the first record, by its clock; `undefined` for an empty batch. */
      readonly arrivedMs: number | undefined;
      /** When the batch was sent, by the daemon's clock, in milliseconds since 1970. */
      readonly sentMs: number;
    }
  | {
      readonly type: "batchProcessed";
      readonly shardId: string;
      readonly pid: number;
      readonly records: number;
      readonly bytes: number;
      /** Of the last record; `undefined` for an empty batch. */
      readonly position: Position | undefined;
      readonly millisBehindLatest: number | undefined;
      readonly elapsedMs: number;
    }
  | { readonly type: "checkpointed"; readonly shardId: string; readonly position: Position }
  /** Several children share the shard from now on. */
  | { readonly type: "lanesStarted"; readonly shardId: string; readonly lanes: number }
  /** With `parallelizationFactor = auto`: the children end in order, and other ones start. */
  | {
      readonly type: "lanesChanged";
      readonly shardId: string;
      readonly from: number;
      readonly to: number;
      /** The part of the time in which a lane had a batch, 0 to 1. */
      readonly busy: number;
      readonly behindMs: number;
    }
  /**
   * The child of a lane has checkpointed. The position is kept in memory; what is stored is the
   * last position before which every lane has checkpointed (`checkpointed`).
   */
  | { readonly type: "laneCheckpointed"; readonly shardId: string; readonly position: Position }
  /**
   * The shard waits, because an idle lane has not checkpointed the records that it has processed,
   * and the other lanes are `maxLaneAheadBytes` ahead. The daemon replaces the lane's child.
   */
  | {
      readonly type: "laneHoldsBack";
      readonly shardId: string;
      readonly aheadBytes: number;
      readonly limitBytes: number;
      readonly waitedMs: number;
    }
  | {
      readonly type: "checkpointRefused";
      readonly shardId: string;
      readonly error: string;
      readonly message: string;
    }
  /** A child failed; `next` is what the daemon does about it. */
  | {
      readonly type: "childFailed";
      readonly shardId: string;
      /** 1 for the first child since this worker took the lease. */
      readonly attempt: number;
      /** A ChildFailed or a ShardEndNotCheckpointed. */
      readonly error: Error;
      /** The reason of the ChildFailed, or `shardEndNotCheckpointed`. */
      readonly cause: string;
      /** The records in flight: their number, and the first and last position. */
      readonly records: number;
      readonly first: Position | undefined;
      readonly last: Position | undefined;
      readonly next: "restart" | "releaseLease" | "exit" | "stop";
      readonly retryInMs: number | undefined;
    }
  /** An operator requested another child for the shard. */
  | { readonly type: "childRestartRequested"; readonly shardId: string }
  /** No progress for `progressTimeoutSeconds`; `step` is what the daemon does about it. */
  | {
      readonly type: "shardStuck";
      readonly shardId: string;
      /** What is missing: records from the stream, or the child's answer. */
      readonly waitingFor: "records" | "child";
      readonly step: "restartFetcher" | "restartChild" | "releaseLease";
      readonly quietMs: number;
    }
  /** A child works for a long time, but is active. Reported once for each action. */
  | {
      readonly type: "childSlow";
      readonly shardId: string;
      readonly pid: number;
      readonly elapsedMs: number;
    }
  /** The dead-letter destination has these records, and they are left out from now on. */
  | {
      readonly type: "recordsBuried";
      readonly shardId: string;
      readonly records: number;
      readonly first: Position | undefined;
      readonly last: Position | undefined;
      readonly condition: "attempts" | "age" | "hashRange";
    }
  /** The dead-letter destination did not accept records; the shard waits. */
  | {
      readonly type: "destinationTrouble";
      readonly shardId: string;
      readonly error: unknown;
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | {
      readonly type: "shardStopped";
      readonly shardId: string;
      readonly reason:
        | "shardEnded"
        | "leaseLost"
        | "stopRequested"
        | "restartRequested"
        | "stuck"
        | "failed";
      /** How long the child took to answer the last messages. */
      readonly elapsedMs: number;
    };
