// The vocabulary of the producer: the record that a user puts, what becomes of it, and the envelope
// in which it travels.

/** A record as a user puts it. */
export interface UserRecord {
  readonly data: Uint8Array;
  /** 1 to 256 UTF-16 units. Its MD5 selects the shard. */
  readonly partitionKey: string;
  /** Decimal, 0 to 2^128−1: selects the shard in place of the partition key. */
  readonly explicitHashKey?: string;
}

/** One attempt to store a record. Names and units are the KPL's. */
export interface Attempt {
  /** Milliseconds from the end of the attempt before, or from the put. */
  readonly delay: number;
  /** Milliseconds from the request to its response. */
  readonly duration: number;
  readonly success: boolean;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  /** The outcome is unknown: the record may be in the stream although the attempt failed. */
  readonly maybeStored?: true;
}

/** Where a record is stored. A consumer receives it with these numbers. */
export interface Stored {
  readonly shardId: string;
  /** The records of one aggregate share it. */
  readonly sequenceNumber: string;
  /** The position in the aggregate; 0 if the record travelled alone. */
  readonly subSequenceNumber: number;
  readonly attempts: readonly Attempt[];
}

/** Why a record is not stored, and will not be. */
export interface Failed {
  readonly errorCode: string;
  /** What happened, and what to do. */
  readonly message: string;
  readonly attempts: readonly Attempt[];
}

export type Outcome = Stored | Failed;

/** The code of a record without an outcome when the producer ends. */
export const NOT_STORED = "NotStored";

export function isStored(outcome: Outcome): outcome is Stored {
  return "sequenceNumber" in outcome;
}

/** A record that was taken and has no outcome yet. */
export interface Pending {
  readonly partitionKey: string;
  readonly explicitHashKey: string | undefined;
  /** On the monotonic clock. */
  readonly arrivedMs: number;
  /** The payload, relative to the `recordsAt` of its envelope. */
  start: number;
  readonly length: number;
  /** Attempts in earlier envelopes. */
  earlier: readonly Attempt[];
  /** Called once. */
  readonly settle: (outcome: Outcome) => void;
}

/** What decides the shard also decides the order: records with the same identity keep theirs. */
export function identityOf({ partitionKey, explicitHashKey }: Identified): string {
  return explicitHashKey ?? partitionKey;
}

type Identified = Pick<Pending, "partitionKey" | "explicitHashKey">;

/** A Kinesis record that is complete: it is sent, and sent again, with exactly these bytes. */
export interface Envelope {
  /** Creation order. A waiting envelope never passes an earlier one of its shard. */
  readonly order: number;
  readonly data: Buffer;
  readonly partitionKey: string;
  /** The hash key of the first record, decimal. */
  readonly hashKey: string;
  readonly records: readonly Pending[];
  /** Where the records' positions begin in `data`. */
  readonly recordsAt: number;
  /** The identities of its records. */
  readonly identities: Identities;
  /** Data and partition key, as the service counts. */
  readonly bytes: number;
  /** The predicted shard; absent before the first shard map. */
  readonly shardId: string | undefined;
  /** On the monotonic clock: it need not wait for others to fill the call. */
  collectByMs: number;
  readonly attempts: EnvelopeAttempt[];
}

export interface Identities {
  has(identity: string): boolean;
  keys(): Iterable<string>;
}

/** As an attempt, but with points in time, from which each record's delay is computed. */
export interface EnvelopeAttempt {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly maybeStored?: true;
}

export function payloadOf({ data, recordsAt }: Envelope, { start, length }: Pending): Buffer {
  return data.subarray(recordsAt + start, recordsAt + start + length);
}

/** All attempts of a record: those in earlier envelopes, and those of this one. */
export function attemptsOf(record: Pending, attempts: readonly EnvelopeAttempt[]): Attempt[] {
  const passedMs = record.earlier.reduce((sum, { delay, duration }) => sum + delay + duration, 0);
  let sinceMs = record.arrivedMs + passedMs;
  const ours = attempts.map(({ startedMs, endedMs, errorCode, errorMessage, maybeStored }) => {
    const delay = Math.max(0, Math.round(startedMs - sinceMs));
    sinceMs = endedMs;
    return {
      delay,
      duration: Math.max(0, Math.round(endedMs - startedMs)),
      success: errorCode === undefined,
      ...(errorCode !== undefined && { errorCode }),
      ...(errorMessage !== undefined && { errorMessage }),
      ...(maybeStored && { maybeStored }),
    };
  });
  return record.earlier.length === 0 ? ours : [...record.earlier, ...ours];
}
