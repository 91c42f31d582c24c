// A position in a shard: a sequence number, or a sentinel where there is none, and a sub-sequence
// number for the records in a KPL aggregate. Decides the order of positions, on which every
// checkpoint rule depends.

declare const brand: unique symbol;

/** A Kinesis sequence number: decimal digits, up to 128 of them, unique within its shard. */
export type SequenceNumber = string & { readonly [brand]: "SequenceNumber" };

/** Values in the lease table where no sequence number is known yet, or the shard has ended. */
export type Sentinel = "TRIM_HORIZON" | "LATEST" | "AT_TIMESTAMP" | "SHARD_END";

/**
 * Position of a record. Plain records have sub-sequence number 0; those of an aggregate count from
 * 0.
 */
export interface Position {
  readonly sequenceNumber: SequenceNumber | Sentinel;
  readonly subSequenceNumber: number;
}

// KCL's order: AT_TIMESTAMP -3 < TRIM_HORIZON -2 < LATEST -1 < every number < SHARD_END.
const SENTINEL_ORDER = {
  AT_TIMESTAMP: -3,
  TRIM_HORIZON: -2,
  LATEST: -1,
  SHARD_END: Number.POSITIVE_INFINITY,
} satisfies Record<Sentinel, number>;

/** Before the oldest record of a shard. */
export const TRIM_HORIZON: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };
export const SHARD_END: Position = { sequenceNumber: "SHARD_END", subSequenceNumber: 0 };

export function isSentinel(text: string): text is Sentinel {
  return Object.hasOwn(SENTINEL_ORDER, text);
}

export function isSequenceNumber(text: string): text is SequenceNumber {
  return /^[0-9]+$/.test(text);
}

/** The position written as in a lease, or `undefined` when it is neither digits nor a sentinel. */
export function parsePosition(
  sequenceNumber: string,
  subSequenceNumber: number,
): Position | undefined {
  if (isSentinel(sequenceNumber) || isSequenceNumber(sequenceNumber)) {
    return { sequenceNumber, subSequenceNumber };
  }
  return undefined;
}

/** Negative when `a` is before `b`, positive when it is after, 0 when they are equal. */
export function comparePositions(a: Position, b: Position): number {
  const bySequence = compareSequenceNumbers(a.sequenceNumber, b.sequenceNumber);
  return bySequence !== 0 ? bySequence : a.subSequenceNumber - b.subSequenceNumber;
}

export function compareSequenceNumbers(
  a: SequenceNumber | Sentinel,
  b: SequenceNumber | Sentinel,
): number {
  if (a === b) return 0;
  const left = isSentinel(a) ? SENTINEL_ORDER[a] : BigInt(a);
  const right = isSentinel(b) ? SENTINEL_ORDER[b] : BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The form for logs: `4959…#3`, `TRIM_HORIZON`. */
export function formatPosition({ sequenceNumber, subSequenceNumber }: Position): string {
  return subSequenceNumber === 0 ? sequenceNumber : `${sequenceNumber}#${subSequenceNumber}`;
}
