// The settings that one shard's consumption depends on.

export interface ShardSettings {
  /** Wait between looks at a parent that has not ended. */
  readonly parentShardPollIntervalMillis: number;
  readonly callProcessRecordsEvenForEmptyRecordList: boolean;
  /** Wait before a step that failed (an unreadable lease, a merge in progress) is tried again. */
  readonly taskBackoffTimeMillis: number;
}
