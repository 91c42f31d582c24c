// A record that no child could process, as destinations keep it.

/** What a destination keeps; version 1 of its format. Payload and key are the record's own, the rest is ours. */
export interface DeadLetter {
  readonly version: 1;
  readonly applicationName: string;
  readonly streamName: string;
  readonly workerId: string;
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  readonly partitionKey: string;
  /** Milliseconds since 1970. */
  readonly approximateArrivalTimestamp: number;
  /** Deliveries that ended badly. */
  readonly attempts: number;
  /**
   * `attempts`: maximumRetryAttempts is used up; `age`: older than maximumRecordAgeInSeconds; `hashRange`: never delivered,
   * since its aggregate holds a record of another shard's hash key.
   */
  readonly condition: "attempts" | "age" | "hashRange";
  /** The last failure of the child; for `hashRange` why it was not delivered. */
  readonly cause: {
    readonly reason: string;
    /** The action that was not answered. */
    readonly waitingFor: string;
    readonly exitCode?: number;
    readonly signal?: string;
    readonly lastStderr: readonly string[];
  };
  /** ISO 8601. */
  readonly buriedAt: string;
  /** Base64, as the service sent it. */
  readonly data?: string;
  /** The destination could not carry the payload: read it from the stream, at this position, while it is kept. */
  readonly dataOmitted?: true;
}

/** Keeps dead letters. */
export interface DeadLetterDestination {
  /** Resolves when the letters are safe; rejects when that is not known, and is then tried again. */
  send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void>;
}

/** Why records become dead letters. */
export type DeadLetterReason = Pick<DeadLetter, "attempts" | "condition" | "cause">;
