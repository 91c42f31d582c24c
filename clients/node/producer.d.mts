// Types of producer.mjs: what a program gives to the producer and what it gets back.

/** One attempt to store a record. */
export interface Attempt {
  /** Milliseconds from the end of the attempt before, or from the put. */
  readonly delay: number;
  /** Milliseconds from the request to its response. */
  readonly duration: number;
  readonly success: boolean;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  /** The outcome is unknown. If a later attempt succeeds, the record may be stored twice. */
  readonly maybeStored?: true;
}

/** Where a record is stored. A consumer receives it with these numbers. */
export interface Stored {
  readonly shardId: string;
  /** Decimal digits, shared by the records of one aggregate. */
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  readonly attempts: readonly Attempt[];
}

export interface RecordToPut {
  /** 1 to 256 UTF-16 units. */
  readonly partitionKey: string;
  /** Bytes; or text, which is stored as UTF-8. */
  readonly data: Uint8Array | string;
  /** A decimal integer from 0 to 2^128-1. */
  readonly explicitHashKey?: string;
  /** Optional if the producer's configuration names one. */
  readonly stream?: string;
}

export interface Figure {
  /** A name of the KPL, such as `UserRecordsPut`. */
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly sum: number;
  readonly sampleCount: number;
  readonly min: number;
  readonly max: number;
}

export interface Totals {
  readonly stored: number;
  readonly failed: number;
  /** Records that had no outcome when the producer's `closeTimeoutMillis` was over. */
  readonly notStored: number;
}

/** A record is not stored. The producer has already retried what a retry can resolve. */
export declare class RecordFailed extends Error {
  constructor(code: string, message: string, attempts?: readonly Attempt[]);
  /**
   * A name of the protocol, such as `RecordTooLarge`, or of a Kinesis error. After `ProducerDied`
   * the record may or may not be stored.
   */
  readonly code: string;
  readonly attempts: readonly Attempt[];
}

export interface ProducerOptions {
  /**
   * Options of `kinesis-multilang produce --protocol`, such as `["-p", "producer.properties"]`. The
   * environment variable `KINESIS_MULTILANG_PRODUCER` replaces the whole command.
   */
  readonly options?: readonly string[];
  /** The path at which `kinesis-multilang produce --listen unix:PATH` listens. */
  readonly socket?: string;
}

/** Starts the program, or connects to one that listens. The process lives until `close`. */
export declare class Producer {
  constructor(options?: ProducerOptions);
  /** The number of messages without an answer. */
  readonly outstanding: number;
  /**
   * Resolves when the record is stored. A program that does not await each `put` awaits `ready` in
   * between, so that memory stays bounded.
   *
   * @throws RecordFailed
   */
  put(record: RecordToPut): Promise<Stored>;
  /**
   * Resolves when the producer has started and takes another record.
   *
   * @throws RecordFailed with the code `ProducerDied` if it does not.
   */
  ready(): Promise<void>;
  /**
   * Sends everything that was put before, and waits for the outcomes.
   *
   * @param options.timeoutMs the longest wait; none where absent.
   * @returns the number of records without an outcome.
   */
  flush(options?: { readonly timeoutMs?: number }): Promise<number>;
  /** Figures under the KPL's names. */
  getMetrics(query?: {
    readonly name?: string;
    readonly windowSeconds?: number;
  }): Promise<Figure[]>;
  /**
   * Sends everything that was put, waits for the outcomes, and ends the producer.
   *
   * @throws RecordFailed with the code `ProducerDied` if it ended before.
   */
  close(): Promise<Totals>;
  [Symbol.asyncDispose](): Promise<void>;
}
