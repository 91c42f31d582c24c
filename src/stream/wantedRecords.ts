// Decides which records of a shard's responses are delivered. It unpacks KPL aggregates, drops the
// records up to the position where reading starts, and sets misplaced aggregates apart.
//
// Reading starts at the position and not after it, because the position may be inside an aggregate.

import type { Emit } from "../events.ts";
import type { Batch, RecordBatch } from "../model/batch.ts";
import { isSentinel, type Position } from "../model/position.ts";
import { type Disaggregate, disaggregator } from "../records/kpl/disaggregate.ts";
import { Misplaced, type MisplacedOptions } from "./misplaced.ts";
import type { ShardToRead } from "./reader.ts";
import { reportIfExpired } from "./shardCursor.ts";

export class WantedRecords {
  /** Unpacks the records of a response while it is parsed. */
  readonly disaggregate: Disaggregate;
  readonly #shardId: string;
  readonly #from: Position;
  readonly #emit: Emit;
  readonly #misplaced: Misplaced;
  /** The first record may be the one at the position, or the aggregate that contains it. */
  #dropping: boolean;

  constructor(
    { shardId, hashKeyRange }: ShardToRead,
    from: Position,
    { aggregateHashRangeCheck, keepsMisplaced, emit }: MisplacedOptions & { readonly emit: Emit },
  ) {
    this.#shardId = shardId;
    this.#from = from;
    this.#emit = emit;
    this.#misplaced = new Misplaced(shardId, keepsMisplaced, emit);
    this.disaggregate = disaggregator(
      aggregateHashRangeCheck === "drop" ? hashKeyRange : undefined,
      (fault) => emit({ type: "aggregateMalformed", shardId, ...fault }),
      (records) => this.#misplaced.add(records),
    );
    this.#dropping = !isSentinel(from.sequenceNumber);
  }

  /** Call this before parsing a response: an attempt that failed may have left records. */
  begin(): void {
    this.#misplaced.begin();
  }

  /** @param records all records of the parsed response. */
  take(records: RecordBatch): Pick<Batch, "records" | "misplaced"> {
    const from = this.#dropping ? this.#from : undefined;
    const wanted = this.#afterStart(records);
    return { records: wanted, ...this.#misplaced.take(from) };
  }

  #afterStart(records: RecordBatch): RecordBatch {
    const isMisplaced = this.#misplaced.holds(this.#from);
    if (!this.#dropping || (records.count === 0 && !isMisplaced)) return records;
    this.#dropping = false;
    if (!isMisplaced) reportIfExpired(this.#shardId, this.#from, records, this.#emit);
    return records.after(this.#from);
  }
}
