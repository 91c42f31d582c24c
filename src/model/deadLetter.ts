// A record that no child could process, in the form in which a destination stores it.

/**
 * Version 1 of the format. Payload and partition key are the record's own; the daemon adds the
 * rest.
 */
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
  /** Deliveries that failed. */
  readonly attempts: number;
  /**
   * `attempts`: maximumRetryAttempts is used up; `age`: older than maximumRecordAgeInSeconds;
   * `hashRange`: never delivered, because its aggregate contains a record of another shard's hash
   * key; `refused`: a connector cannot transform it, or its target refuses it.
   */
  readonly condition: "attempts" | "age" | "hashRange" | "refused";
  /**
   * The last failure of the child; for `hashRange` and `refused`, the reason why the record was not
   * delivered.
   */
  readonly cause: {
    readonly reason: string;
    /** The message that the child did not answer. */
    readonly waitingFor: string;
    readonly exitCode?: number;
    readonly signal?: string;
    readonly lastStderr: readonly string[];
  };
  /** ISO 8601. */
  readonly buriedAt: string;
  /** Base64, as the service sent it. */
  readonly data?: string;
  /** The payload is too large for the destination. Read it from the stream before it expires. */
  readonly dataOmitted?: true;
}

/** Stores dead letters. */
export interface DeadLetterDestination {
  /**
   * Resolves when the letters are stored. Rejects when that is uncertain; the caller then retries.
   */
  send(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void>;
}

/**
 * Why the daemon makes dead letters of records. Only a connector makes those that are `refused`.
 */
export type DeadLetterReason = Pick<DeadLetter, "attempts" | "cause"> & {
  readonly condition: Exclude<DeadLetter["condition"], "refused">;
};
