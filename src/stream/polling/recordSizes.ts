// Knows the size of the stream's records, from all its shards, and decides how many records a call
// requests. Before any record is known, a call requests so few that the largest possible response
// fits into its reservation. While few records are known, a call requests a multiple of their
// number.

/**
 * A record of 1 MiB as a child reads it. A larger one (a stream may allow 10 MiB) is fetched alone.
 */
export const LARGE_RECORD_BYTES = 1_430_000;
/** The payloads of the largest response: 10 MiB (a limit of Kinesis) as base64. */
const MOST_PAYLOAD_BYTES = 14 * 1024 * 1024;
/** The rest of a record: field names, and a partition key of at most 256 characters. */
const FRAME_BYTES = 420;
/** A call may request this many records for each record whose size is known. */
const FOR_EACH_SEEN = 16;

export interface Ask {
  readonly limit: number;
  /** The limit is lower than the known sizes allow, because too few sizes are known. */
  readonly isCautious: boolean;
}

export class RecordSizes {
  #largestBytes: number | undefined;
  #seen = 0;

  /**
   * The largest average size of the records in one response; `undefined` before the first record.
   */
  get largestBytes(): number | undefined {
    return this.#largestBytes;
  }

  /**
   * Learns from a response.
   *
   * @param bytes the size of all its records, as a child reads them.
   * @returns their average size.
   */
  saw(records: number, bytes: number): number {
    const recordBytes = Math.max(1, bytes / records);
    this.#largestBytes = Math.max(this.#largestBytes ?? 0, recordBytes);
    this.#seen += records;
    return recordBytes;
  }

  /**
   * The number of records to request, so that they take at most `bytes`.
   *
   * @param recordBytes the expected size of a record; `undefined` when it is unknown.
   * @param most the upper limit.
   */
  ask(recordBytes: number | undefined, bytes: number, most: number): Ask {
    const wanted = recordBytes === undefined ? most : Math.min(most, bytes / recordBytes);
    const careful = Math.max(surelyFitting(bytes), FOR_EACH_SEEN * this.#seen);
    return {
      limit: Math.max(1, Math.floor(Math.min(wanted, careful))),
      isCautious: careful < wanted,
    };
  }
}

/** The number of records that fit whatever their sizes are; at least one. */
function surelyFitting(bytes: number): number {
  const oneByOne = bytes / LARGE_RECORD_BYTES;
  const inOneAnswer = (bytes - MOST_PAYLOAD_BYTES) / FRAME_BYTES;
  return Math.max(1, Math.floor(oneByOne), Math.floor(inOneAnswer));
}
