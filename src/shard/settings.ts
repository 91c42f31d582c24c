// The settings that one shard's consumption depends on. Names and meanings are the configuration's.

import type { BudgetSettings } from "./restartBudget.ts";
import type { ShapeSettings } from "./shape.ts";
import type { SuspectSettings } from "./suspects.ts";

export interface ShardSettings extends BudgetSettings, ShapeSettings, SuspectSettings {
  /** Wait between looks at a parent that has not ended. */
  readonly parentShardPollIntervalMillis: number;
  readonly callProcessRecordsEvenForEmptyRecordList: boolean;
  /** Wait before a step that failed (an unreadable lease, a merge in progress) is tried again. */
  readonly taskBackoffTimeMillis: number;
  readonly onChildFailure: "restart" | "releaseLease" | "exit";
  /** Who checkpoints: the child when it likes, or the daemon after every status. */
  readonly checkpointPolicy: "processor" | "onBatchSuccess";
  /** 0 = a checkpoint is acknowledged when it is stored; else at once, and stored at most so often. */
  readonly checkpointIntervalMs: number;
}

export interface SupervisionSettings extends ShardSettings {
  /** Without progress for so long a shard that should move is healed; absent = never. */
  readonly progressTimeoutSeconds?: number | undefined;
  /** Waits of the reader that are no lack of progress. */
  readonly idleTimeBetweenReadsInMillis: number;
  readonly millisBehindLatestThresholdForReducedTps: number;
}
