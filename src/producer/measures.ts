// What the producer of one stream counts, under the names, units and dimensions of the KPL. It adds
// samples per Kinesis record, not per user record, because user records are many.

import type { Envelope } from "./record.ts";
import { type Dimensions, type Statistics, setOf, times } from "./statistics.ts";
import type { PutAnswer } from "./streamCalls.ts";

interface Times {
  readonly startedMs: number;
  readonly endedMs: number;
}

export class Measures {
  readonly #statistics: Statistics;
  readonly #stream: Dimensions;
  #duplicates = 0;
  /** Not in the statistics yet: there are too many records to add each. */
  #received = 0;
  #pending = 0;

  constructor(statistics: Statistics, streamName: string) {
    this.#statistics = statistics;
    this.#stream = { StreamName: streamName };
  }

  /** User records that were sent again although an earlier attempt may have stored them. */
  get possibleDuplicates(): number {
    return this.#duplicates;
  }

  /** A call with a response. */
  call(envelopes: readonly Envelope[], answers: readonly PutAnswer[], at: Times): void {
    this.addReceived();
    const users = envelopes.reduce((sum, { records }) => sum + records.length, 0);
    const { one } = this.#for(this.#stream);
    one("RequestTime", at.endedMs - at.startedMs);
    one("KinesisRecordsPerPutRecordsRequest", envelopes.length);
    one("UserRecordsPerPutRecordsRequest", users);
    envelopes.forEach((envelope, index) => {
      const answer = answers[index];
      const isStored = answer !== undefined && "sequenceNumber" in answer;
      const shardId = isStored ? answer.shardId : envelope.shardId;
      const shard = this.#for({
        ...this.#stream,
        ...(shardId !== undefined && { ShardId: shardId }),
      });
      shard.one("UserRecordsPerKinesisRecord", envelope.records.length);
      shard.one("KinesisRecordsPut", isStored ? 1 : 0);
      shard.one("KinesisRecordsDataPut", isStored ? envelope.data.length : 0);
      shard.one("AllErrors", isStored ? 0 : 1);
      const before = envelope.attempts.at(-1)?.endedMs;
      const waits = envelope.records.map(({ arrivedMs }) => at.startedMs - (before ?? arrivedMs));
      shard.add("BufferingTime", setOf(waits));
      if (answer && "errorCode" in answer) {
        shard.error(answer.errorCode);
      } else if (envelope.attempts.some(({ maybeStored }) => maybeStored)) {
        this.#duplicates += envelope.records.length;
      }
    });
  }

  failedCall(errorCode: string, { startedMs, endedMs }: Times): void {
    const stream = this.#for(this.#stream);
    stream.one("RequestTime", endedMs - startedMs);
    stream.one("AllErrors", 1);
    stream.error(errorCode);
  }

  /** All records of an envelope are stored. */
  stored({ records, attempts }: Envelope, shardId: string): void {
    const shard = this.#for({ ...this.#stream, ShardId: shardId });
    const earlier = attempts.length;
    this.#pending -= records.length;
    shard.add("UserRecordsPut", times(records.length, 1));
    shard.add("UserRecordsDataPut", setOf(records.map(({ length }) => length)));
    shard.add("RetriesPerRecord", setOf(records.map((record) => record.earlier.length + earlier)));
  }

  failed(records: number, errorCode: string): void {
    const stream = this.#for(this.#stream);
    this.#pending -= records;
    stream.add("UserRecordsPut", times(records, 0));
    if (errorCode === "Expired") stream.add("UserRecordExpired", times(records, 1));
  }

  received(): void {
    this.#received += 1;
    this.#pending += 1;
  }

  /** Adds what was received to the statistics. */
  addReceived(): void {
    this.#statistics.add("UserRecordsReceived", this.#stream, times(this.#received, 1));
    this.#received = 0;
  }

  /** Adds the number of records without an outcome, as it is now. */
  samplePending(): void {
    this.#statistics.one("UserRecordsPending", this.#stream, this.#pending);
  }

  #for(dimensions: Dimensions) {
    const statistics = this.#statistics;
    return {
      one: (name: string, value: number) => statistics.one(name, dimensions, value),
      add: (name: string, set: ReturnType<typeof times>) => statistics.add(name, dimensions, set),
      error: (ErrorCode: string) => statistics.one("ErrorsByCode", { ErrorCode, ...dimensions }, 1),
    };
  }
}
