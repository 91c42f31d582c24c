// The vocabulary of shard/: what a shard's consumption is made of and what its parts exchange. The
// types have a file of their own, so that the consumer, the delivery and the endings need not
// import one another for them.

import type { RecordProcessor, StartProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { ChildShard } from "../model/shard.ts";
import type { ReadShard } from "../stream/reader.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { DeadLetterPlace } from "./deadLetters.ts";
import type { FailureIsolation, IsolationSettings } from "./failureIsolation.ts";
import type { LatestStart } from "./latestStart.ts";
import type { BudgetSettings } from "./restartBudget.ts";
import type { RestartRequests } from "./restartRequests.ts";
import type { ShapeSettings } from "./shape.ts";
import type { StartTurns } from "./startTurns.ts";

/** Names and meanings are those of the configuration. */
export interface ShardSettings extends BudgetSettings, ShapeSettings, IsolationSettings {
  /** Wait between two checks whether the parent shards have ended. */
  readonly parentShardPollIntervalMillis: number;
  readonly callProcessRecordsEvenForEmptyRecordList: boolean;
  /** Wait before a failed step (an unreadable lease, a merge in progress) is repeated. */
  readonly taskBackoffTimeMillis: number;
  readonly onChildFailure: "restart" | "releaseLease" | "exit";
  /** Who checkpoints: the child, whenever it likes, or the daemon, after every status. */
  readonly checkpointPolicy: "processor" | "onBatchSuccess";
  /**
   * 0: the daemon acknowledges a checkpoint after it is stored. Otherwise it acknowledges at once
   * and stores at most one checkpoint in this interval.
   */
  readonly checkpointIntervalMs: number;
}

export interface SupervisionSettings extends ShardSettings {
  /** A shard that makes no progress for this time is restarted. Absent: never. */
  readonly progressTimeoutSeconds?: number | undefined;
  /** How long the reader may wait on purpose; this wait does not count as a lack of progress. */
  readonly idleTimeBetweenReadsInMillis: number;
  readonly millisBehindLatestThresholdForReducedTps: number;
}

export interface LaneSettings {
  /** The number of children that share a shard; `auto`: as many as it needs. */
  readonly parallelizationFactor: number | "auto";
  /** How far the lanes of a shard may be ahead of its stored checkpoint. */
  readonly maxLaneAheadBytes: number;
}

/** What all shards of an application use. */
export interface ShardParts {
  readonly read: ReadShard;
  readonly startProcessor: StartProcessor;
  readonly startTurns: StartTurns;
  readonly settings: ShardSettings;
  /** Absent: records that cannot be processed block their shard. */
  readonly deadLetters?: DeadLetterPlace;
  /** Absent: nobody can request another child. */
  readonly restarts?: RestartRequests;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** The life of a shard with one child: what the supervisor and the consumer exchange. */
export interface Life {
  /** 1 for the first child since this worker took the lease. */
  readonly attempt: number;
  readonly isolation: FailureIsolation;
  readonly latest: LatestStart;
  /** Aborted when an operator requests another child. */
  readonly restart: AbortController;
  /** The child has processed a batch. */
  madeProgress: boolean;
  /** The records that the child has received and not answered yet. */
  inFlight: RecordBatch | undefined;
}

/** A running child, with everything that a delivery to it uses. */
export interface Delivery {
  readonly processor: RecordProcessor;
  readonly checkpointer: Checkpointer;
  readonly lease: HeldLease;
  readonly parts: ShardParts;
  readonly life: Life;
}

/** Why the batches stopped. */
export type Ending =
  | { readonly why: "shardEnded"; readonly children: readonly ChildShard[] }
  | { readonly why: "leaseLost" }
  /** `stuck`: the stream delivers nothing any more, so another worker should try. */
  | { readonly why: "stopRequested" | "restartRequested" | "stuck" };
