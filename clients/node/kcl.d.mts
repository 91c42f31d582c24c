// Types of kcl.mjs: what a record processor receives and what it may call.

/** A record as the daemon sends it. */
export interface KinesisRecord {
  /** Base64: `Buffer.from(record.data, "base64")`. */
  readonly data: string;
  readonly partitionKey: string;
  readonly sequenceNumber: string;
  /** Position inside a KPL aggregate, 0 for a plain record. */
  readonly subSequenceNumber: number;
  /** Milliseconds since 1970. */
  readonly approximateArrivalTimestamp: number;
}

/**
 * Writes to the daemon's log with shard and level, or to STDERR if the daemon has no such log.
 */
export type Log = (level: "debug" | "info" | "warn" | "error", message: string) => Promise<void>;

/** The daemon's name for the reason why a checkpoint was not stored. */
export type CheckpointErrorName =
  | "ThrottlingException"
  | "ShutdownException"
  | "InvalidStateException"
  | "KinesisClientLibDependencyException"
  | "IllegalArgumentException"
  | (string & {});

/** A checkpoint was not stored. Errors that can be retried have been retried. */
export declare class CheckpointError extends Error {
  constructor(value: CheckpointErrorName, message?: string);
  /** `ShutdownException`: another worker holds the lease, or the daemon is gone; stop. */
  readonly value: CheckpointErrorName;
}

export type CheckpointCallback = (
  error: CheckpointErrorName | Error | null,
  sequenceNumber: string | null,
) => void;

/**
 * Valid until its action is answered. Throttling and failures of the lease table are retried for
 * about 12 s before the checkpoint fails. Concurrent checkpoints are sent one after the other.
 */
export interface Checkpointer {
  /**
   * Stores the end of all records delivered so far. In `shardEnded` this is the only way to finish
   * the shard.
   */
  checkpoint(): Promise<void>;
  /** Stores the position after this record. */
  checkpoint(record: Pick<KinesisRecord, "sequenceNumber" | "subSequenceNumber">): Promise<void>;
  checkpoint(sequenceNumber: string | null, subSequenceNumber?: number | null): Promise<void>;
  checkpoint(callback: CheckpointCallback): void;
  checkpoint(sequenceNumber: string | null, callback: CheckpointCallback): void;
}

export interface InitializeInput {
  readonly shardId: string;
  /**
   * The checkpoint to continue from: digits, or `TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP` if there
   * is none.
   */
  readonly sequenceNumber: string | null;
  readonly subSequenceNumber: number | null;
  readonly log: Log;
}

export interface ProcessRecordsInput {
  readonly records: readonly KinesisRecord[];
  /** How far these records are behind the tip of the shard. */
  readonly millisBehindLatest: number | null;
  readonly checkpointer: Checkpointer;
  readonly log: Log;
}

export interface LeaseLostInput {
  readonly log: Log;
}

export interface ShardEndedInput {
  readonly checkpointer: Checkpointer;
  readonly log: Log;
}

export type ShutdownRequestedInput = ShardEndedInput;

/**
 * Handles one action. It is done when its return value is settled or, if it declares both
 * parameters, when it calls back. An `Error` fails the action.
 */
export type Answer<Input> = (
  input: Input,
  completeCallback: (error?: unknown) => void,
) => Promise<void> | void;

export interface RecordProcessor {
  initialize?: Answer<InitializeInput>;
  processRecords: Answer<ProcessRecordsInput>;
  /** Another worker holds the shard: checkpoints are no longer possible. */
  leaseLost?: Answer<LeaseLostInput>;
  /**
   * All records are processed. Must call `checkpointer.checkpoint()`, or the shard's child shards
   * never start.
   */
  shardEnded: Answer<ShardEndedInput>;
  /** The daemon stops or hands the shard over: the last chance to checkpoint. */
  shutdownRequested?: Answer<ShutdownRequestedInput>;
}

/**
 * The processor of aws-kcl before version 2: `shutdown` replaces both `leaseLost` and `shardEnded`.
 */
export interface LegacyRecordProcessor extends Omit<RecordProcessor, "leaseLost" | "shardEnded"> {
  shutdown: Answer<
    | { readonly reason: "ZOMBIE"; readonly log: Log }
    | { readonly reason: "TERMINATE"; readonly checkpointer: Checkpointer; readonly log: Log }
  >;
}

export interface Driver {
  /**
   * Resolves at the end of the input, when the daemon has closed STDIN. On STDIN and STDOUT, a
   * failure ends the process with exit code 1. On streams that were passed in, the promise is
   * rejected.
   */
  run(): Promise<void>;
  /** Stops reading. */
  cleanup(): void;
  readonly log: Log;
}

/** @throws TypeError if `processRecords` or `shardEnded` (or `shutdown`) is missing. */
export declare function kcl(
  recordProcessor: RecordProcessor | LegacyRecordProcessor,
  input?: NodeJS.ReadableStream,
  output?: NodeJS.WritableStream,
  error?: NodeJS.WritableStream,
  options?: {
    /** Waits between attempts to checkpoint; tests pass their own. */
    readonly sleep?: (ms: number) => Promise<unknown>;
  },
): Driver;
