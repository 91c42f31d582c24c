// What a producer may be told, with the defaults. Names and units are the KPL's, in camelCase.

export interface ProducerSettings {
  /** Whether several user records travel in one Kinesis record. */
  readonly aggregationEnabled: boolean;
  /** Most user records in one Kinesis record. */
  readonly aggregationMaxCount: number;
  /** Largest Kinesis record that carries several user records, in bytes. */
  readonly aggregationMaxSize: number;
  /** Most Kinesis records in a call. */
  readonly collectionMaxCount: number;
  /** Most bytes in a call, data and partition keys. */
  readonly collectionMaxSize: number;
  /** Largest payload of a user record; absent: only the stream limits it. */
  readonly maxUserRecordSize?: number | undefined;
  /** How long a record may wait for others, in milliseconds. */
  readonly recordMaxBufferedTime: number;
  /** A record that is not stored after this time fails; absent: never. */
  readonly recordTtl?: number | undefined;
  /** Highest rate of a shard, in percent of what the service accepts. */
  readonly rateLimit: number;
  /** Whether a throttled record fails at once. */
  readonly failIfThrottled: boolean;
  /** The longest wait for the response to a call, in milliseconds. */
  readonly requestTimeout: number;
  /** Most calls in flight. */
  readonly maxConnections: number;
  /** `key`: records of one partition key are stored in their order. `none`: in any order. */
  readonly ordering: "key" | "none";
  /** What to do when only an operator can help: no permission, no stream, a disabled KMS key. */
  readonly onPermanentError: "fail" | "wait";
  /** Records without an outcome, in bytes. At the limit, `put` waits. */
  readonly maxInFlightBytes: number;
  /** The longest wait of `close` for the outcomes, in milliseconds. */
  readonly closeTimeoutMillis: number;
}

export const DEFAULT_SETTINGS: ProducerSettings = {
  aggregationEnabled: true,
  aggregationMaxCount: 4_294_967_295,
  aggregationMaxSize: 51_200,
  collectionMaxCount: 500,
  collectionMaxSize: 5 * 1024 * 1024,
  recordMaxBufferedTime: 100,
  rateLimit: 100,
  failIfThrottled: false,
  requestTimeout: 6_000,
  maxConnections: 24,
  ordering: "key",
  onPermanentError: "fail",
  maxInFlightBytes: 32 * 1024 * 1024,
  closeTimeoutMillis: 30_000,
};
