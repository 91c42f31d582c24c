// What a person can set about polling.

export interface PollingSettings {
  /** `Limit` of GetRecords: 1 to 10,000 records a call. */
  readonly maxRecords: number;
  /** As the person set it; `undefined` adapts to what the shard holds. Below 200 it counts as 200. */
  readonly idleTimeBetweenReadsInMillis: number | undefined;
  /** A shard that is less behind than this is read only that often; 0 (as when absent) turns it off. */
  readonly millisBehindLatestThresholdForReducedTps?: number;
  /** The longest that a call may take; 30,000 when absent, as in the Java daemon. */
  readonly requestTimeoutMs?: number;
}
