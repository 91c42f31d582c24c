// Settings of polling.

export interface PollingSettings {
  /** `Limit` of GetRecords: 1 to 10,000 records a call. */
  readonly maxRecords: number;
  /** `undefined`: the daemon adapts to what the shard holds. Less than 200 counts as 200. */
  readonly idleTimeBetweenReadsInMillis: number | undefined;
  /** A shard that is less behind than this is read only this often; 0 or absent turns it off. */
  readonly millisBehindLatestThresholdForReducedTps?: number;
  /** The longest that a call may take; 30,000 when absent, as in the Java daemon. */
  readonly requestTimeoutMs?: number;
}
