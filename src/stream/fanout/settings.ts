// What a person can set about enhanced fan-out; names and defaults are KCL's.

export interface FanoutSettings {
  readonly consumerName: string;
  /** A consumer that somebody else has registered: it is used as it is. */
  readonly consumerArn?: string;
  readonly maxDescribeStreamSummaryRetries: number;
  /** Also how often a new consumer is looked at until it is ACTIVE. */
  readonly maxDescribeStreamConsumerRetries: number;
  readonly registerStreamConsumerRetries: number;
  readonly retryBackoffMillis: number;
}
