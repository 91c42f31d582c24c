// What is known of the size of a stream's records, all of its shards together, and how many may be asked for by it. As long
// as nothing is known, calls are such that no answer can be larger than what was reserved for it; and as long as few
// records were seen, they ask for a few times as many.

/** A record of 1 MiB as the child reads it. One that is larger (a stream may allow 10 MiB) comes alone at first. */
export const LARGE_RECORD_BYTES = 1_430_000;
/** The payloads of the largest answer: 10 MiB (a limit of the service) as base64. */
const MOST_PAYLOAD_BYTES = 14 * 1024 * 1024;
/** What stands around a payload: the names, and a partition key of at most 256 characters. */
const FRAME_BYTES = 420;
/** So many records may follow the first one before theirs is taken for the size of all. */
const FOR_EACH_SEEN = 16;

export interface Ask {
  readonly limit: number;
  /** More would have fit, by what is known; it is not known well enough. */
  readonly isCautious: boolean;
}

export class RecordSizes {
  #largestBytes: number | undefined;
  #seen = 0;

  /** The largest that a shard's records have had on average; `undefined` as long as no record was seen. */
  get largestBytes(): number | undefined {
    return this.#largestBytes;
  }

  /** @param bytes of all of them, as a child reads them. @returns what each came to. */
  saw(records: number, bytes: number): number {
    const recordBytes = Math.max(1, bytes / records);
    this.#largestBytes = Math.max(this.#largestBytes ?? 0, recordBytes);
    this.#seen += records;
    return recordBytes;
  }

  /**
   * How many records to ask for, so that they come to `bytes` at most.
   *
   * @param recordBytes what each may come to; `undefined` when that is not known.
   * @param most never more.
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

/** Records of any size that come to no more than that; at least one. */
function surelyFitting(bytes: number): number {
  const oneByOne = bytes / LARGE_RECORD_BYTES;
  const inOneAnswer = (bytes - MOST_PAYLOAD_BYTES) / FRAME_BYTES;
  return Math.max(1, Math.floor(oneByOne), Math.floor(inOneAnswer));
}
