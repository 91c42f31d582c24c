// Measures the size of a stream's records, over all shards, and decides how many records a call may
// ask for. Before the first records, calls are so small that no response can exceed what was reserved
// for it. While few records have been received, calls ask for a limited multiple of them.

/**
 * A record of 1 MiB as the child reads it. Before the size is known, a larger one (a stream may allow
 * 10 MiB) arrives alone.
 */
export const LARGE_RECORD_BYTES = 1_430_000;
/** The payloads of the largest response: 10 MiB (a limit of the service) as base64. */
const MOST_PAYLOAD_BYTES = 14 * 1024 * 1024;
/** The JSON around a payload: names, and a partition key of at most 256 characters. */
const FRAME_BYTES = 420;
/** A call may ask for this many times the number of records received so far. */
const FOR_EACH_RECEIVED = 16;

export interface Ask {
  readonly limit: number;
  /** More records would fit, but their size is not known well enough. */
  readonly isCautious: boolean;
}

export class RecordSizes {
  #largestBytes: number | undefined;
  #received = 0;

  /** The largest average size in any response; `undefined` before the first record. */
  get largestBytes(): number | undefined {
    return this.#largestBytes;
  }

  /** @param bytes of all of them, as a child reads them. @returns the average. */
  received(records: number, bytes: number): number {
    const recordBytes = Math.max(1, bytes / records);
    this.#largestBytes = Math.max(this.#largestBytes ?? 0, recordBytes);
    this.#received += records;
    return recordBytes;
  }

  /**
   * How many records to ask for, so that they take at most `bytes`.
   *
   * @param recordBytes the expected size of one; `undefined` when it is unknown.
   * @param most the upper limit.
   */
  ask(recordBytes: number | undefined, bytes: number, most: number): Ask {
    const wanted = recordBytes === undefined ? most : Math.min(most, bytes / recordBytes);
    const careful = Math.max(surelyFitting(bytes), FOR_EACH_RECEIVED * this.#received);
    return {
      limit: Math.max(1, Math.floor(Math.min(wanted, careful))),
      isCautious: careful < wanted,
    };
  }
}

/** The number of records that take at most `bytes`, whatever their sizes; at least one. */
function surelyFitting(bytes: number): number {
  const oneByOne = bytes / LARGE_RECORD_BYTES;
  const inOneAnswer = (bytes - MOST_PAYLOAD_BYTES) / FRAME_BYTES;
  return Math.max(1, Math.floor(oneByOne), Math.floor(inOneAnswer));
}
