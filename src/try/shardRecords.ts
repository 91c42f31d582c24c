// Assigns records to shards as Kinesis does, by the MD5 of the partition key, and gives them
// increasing sequence numbers.

import { createHash } from "node:crypto";
import { recordJson } from "../model/batch.ts";
import { UserError } from "../model/errors.ts";
import { LAST_HASH_KEY } from "../model/shard.ts";
import type { GivenRecord } from "./sources.ts";

export interface ShardRecord {
  readonly shard: number;
  /** As a child reads it. */
  readonly json: string;
}

/** 56 digits as in Kinesis, far more than a double can represent exactly. */
const SEQUENCE_PREFIX = "49671234500000000000000000000000000000000";

export class Sharder {
  readonly #shards: number;
  /** The last position in each shard. */
  readonly #last: { sequenceNumber: bigint; subSequenceNumber: number }[] = [];
  #count = 0;

  constructor(shards: number) {
    this.#shards = shards;
  }

  /** @throws UserError when a given sequence number does not increase. */
  take(given: GivenRecord, now: number): ShardRecord {
    const partitionKey = given.partitionKey ?? String(++this.#count);
    const shard = this.#shardOf(partitionKey);
    const json = recordJson({
      data: given.data,
      partitionKey,
      sequenceNumber: this.#place(given, shard),
      approximateArrivalTimestamp: given.approximateArrivalTimestamp ?? now,
      subSequenceNumber: given.subSequenceNumber ?? 0,
    });
    return { shard, json };
  }

  #shardOf(partitionKey: string): number {
    if (this.#shards === 1) return 0;
    const hash = BigInt(`0x${createHash("md5").update(partitionKey).digest("hex")}`);
    return Number((hash * BigInt(this.#shards)) / (LAST_HASH_KEY + 1n));
  }

  #place({ sequenceNumber, subSequenceNumber = 0, where }: GivenRecord, shard: number): string {
    const last = this.#last[shard];
    const first = BigInt(`${SEQUENCE_PREFIX}${String(shard).padStart(3, "0")}000000000000`);
    const next =
      sequenceNumber === undefined ? (last?.sequenceNumber ?? first) + 1n : BigInt(sequenceNumber);
    const grows =
      !last ||
      next > last.sequenceNumber ||
      (next === last.sequenceNumber && subSequenceNumber > last.subSequenceNumber);
    if (!grows) {
      throw new UserError(
        `${where}: sequence number ${next} (sub-sequence number ${subSequenceNumber}) does not come after ` +
          `${last.sequenceNumber} (${last.subSequenceNumber}). In a shard, sequence numbers must increase`,
      );
    }
    this.#last[shard] = { sequenceNumber: next, subSequenceNumber };
    return String(next);
  }
}
