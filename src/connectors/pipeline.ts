// The parts of a connector, with the meaning that the Kinesis Connector Library gave them: a
// transformer makes objects of records, a filter keeps some of them, a buffer collects them, and an
// emitter writes them to the target. Each shard has its own parts.

/** A record as a connector sees it. */
export interface SourceRecord {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
  readonly partitionKey: string;
  /** Milliseconds since 1970. */
  readonly approximateArrivalTimestamp: number;
  /** Base64. */
  readonly data: string;
}

/** The library's `toClass`: makes objects of a record, usually one. Throws if it cannot. */
export interface Transformer {
  toObjects(record: SourceRecord): readonly unknown[];
}

/** The library's `keepRecord`. Throws if it cannot decide. */
export interface Filter {
  keeps(object: unknown, record: SourceRecord): boolean;
}

/** An object in the form in which the target stores it. */
export interface Item {
  readonly record: SourceRecord;
  /** What it counts in the buffer. */
  readonly bytes: number;
}

/** An object that is not stored, and the reason. */
export interface Unstored<U> {
  readonly item: U;
  readonly reason: string;
}

/** What is not stored of the items that were to be emitted. All others are. */
export interface EmitOutcome<U> {
  /** The target may store them later. */
  readonly again: readonly Unstored<U>[];
  /** The target will never store them. */
  readonly refused: readonly Unstored<U>[];
}

export const ALL_STORED = { again: [], refused: [] } as const;

/** Writes to the target. */
export interface Emitter<U extends Item> {
  /** For messages: `the file /tmp/words.ndjson`. */
  readonly target: string;
  /**
   * Do not emit a batch before the position of the last one is stored. Such an emitter names what
   * it writes by the first record, so that it overwrites what a killed process wrote before it.
   */
  readonly needsStoredPosition?: boolean;
  /**
   * Called once, before the daemon starts.
   *
   * @throws UserError if something has to be set up first. A target that is away is no reason.
   */
  check(): Promise<void>;
  /**
   * The library's `fromClass`. Throws if the target cannot store the object.
   *
   * @param index counts the objects of the record.
   */
  toItem(object: unknown, record: SourceRecord, index: number): U;
  /** Where the item would go, for `--dry-run`. */
  placeOf(item: U): string;
  /** The item as text, for `--dry-run`. */
  textOf(item: U): string;
  /**
   * @throws TargetProblem, or any other error, when it is unknown which items are stored: they are
   *   emitted again.
   */
  emit(items: readonly U[], signal: AbortSignal): Promise<EmitOutcome<U>>;
  close(): Promise<void>;
}

/**
 * The target stores nothing at present: it is `unavailable`, which passes, or something has to be
 * set up first (`configuration`).
 */
export class TargetProblem extends Error {
  override readonly name = "TargetProblem";
  readonly kind: "unavailable" | "configuration";
  /** The target asks to wait so long. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: TargetProblem["kind"],
    message: string,
    {
      retryAfterMs,
      ...options
    }: ErrorOptions & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Writes to the log of the daemon, with the shard. */
export type Log = (level: "debug" | "info" | "warn" | "error", message: string) => void;

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
