// Settings of enhanced fan-out. Names and defaults are those of KCL.

export interface FanoutSettings {
  readonly consumerName: string;
  /** A consumer that is already registered. The daemon uses it and does not register one. */
  readonly consumerArn?: string;
  readonly maxDescribeStreamSummaryRetries: number;
  /** Also the number of attempts to see a new consumer become ACTIVE. */
  readonly maxDescribeStreamConsumerRetries: number;
  readonly registerStreamConsumerRetries: number;
  readonly retryBackoffMillis: number;
}
