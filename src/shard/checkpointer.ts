// Decides what a child's checkpoint means, and stores it: the range that is allowed, the end of a shard,
// and which name an error has for the child. One per child; the rules are KCL's, and one more: what would be refused when the
// shard is read on is not stored.

import type { CheckpointRequest } from "../child/recordProcessor.ts";
import { CheckpointError } from "../model/errors.ts";
import {
  comparePositions,
  compareSequenceNumbers,
  formatPosition,
  isSentinel,
  isSequenceNumber,
  type Position,
  SHARD_END,
} from "../model/position.ts";
import { isOfShard } from "../model/shard.ts";

/** Stores a position in the lease table; `"lost"` when the lease is no longer ours. */
export type StorePosition = (position: Position) => Promise<"stored" | "lost">;

export class Checkpointer {
  readonly #shardId: string;
  readonly #store: StorePosition;
  #stored: Position;
  /** The last that the child itself has checkpointed: what we stored beyond it is none of its business. */
  #askedFor: Position;
  /** The first record that the child was given. */
  #first: Position | undefined;
  /** The last record that the child was given, or where it was told to begin. */
  #given: Position;
  /** The same, or the last record behind it that was left out. */
  #delivered: Position;
  #shardEnded = false;

  constructor(shardId: string, start: Position, store: StorePosition) {
    this.#shardId = shardId;
    this.#stored = start;
    this.#askedFor = start;
    this.#given = start;
    this.#delivered = start;
    this.#store = store;
  }

  /** What the lease table holds. */
  get stored(): Position {
    return this.#stored;
  }

  /** True when the child has checkpointed the end of its shard. */
  get reachedShardEnd(): boolean {
    return this.#stored.sequenceNumber === "SHARD_END";
  }

  /** To be called before the records are handed over: a child may checkpoint while it works on them. */
  delivering(last: Position, first: Position = last): void {
    this.#first ??= first;
    this.#given = last;
    this.#delivered = last;
  }

  /**
   * Goes past records that are left out. Nobody else would checkpoint them: where all before them is checkpointed it is
   * done now, else with the child's next checkpoint.
   *
   * @throws CheckpointError
   */
  async pass(last: Position): Promise<void> {
    const isSettled = comparePositions(this.#stored, this.#delivered) === 0;
    this.#delivered = last;
    if (isSettled) await this.#write(last);
  }

  /** To be called before `shardEnded` is sent: from now on a checkpoint without arguments means SHARD_END. */
  endShard(): void {
    this.#shardEnded = true;
  }

  /** @throws CheckpointError whose name the child is told. */
  async checkpoint(request: CheckpointRequest): Promise<void> {
    const position = this.#resolve(request);
    if (comparePositions(position, this.#stored) > 0) await this.#write(position);
    this.#askedFor = position;
  }

  async #write(position: Position): Promise<void> {
    if ((await this.#store(position)) === "lost") {
      throw new CheckpointError(
        "ShutdownException",
        "the lease is held by another worker or has run out",
      );
    }
    this.#stored = position;
  }

  #resolve({ sequenceNumber, subSequenceNumber }: CheckpointRequest): Position {
    if (sequenceNumber === null) return this.#shardEnded ? SHARD_END : this.#delivered;
    const sub = subSequenceNumber ?? 0;
    if (this.#shardEnded && sequenceNumber === "SHARD_END" && sub === 0) return SHARD_END;
    if (!isSequenceNumber(sequenceNumber)) {
      throw illegal(`"${sequenceNumber}" is not a sequence number (decimal digits)`);
    }
    if (sub < 0) throw illegal(`the sub-sequence number ${sub} is negative`);
    if (!Number.isSafeInteger(sub)) throw illegal(`the sub-sequence number ${sub} is too large`);
    if (!isOfShard(this.#shardId, sequenceNumber, this.#given.sequenceNumber)) {
      throw illegal(`${sequenceNumber} is a number of another shard, not of ${this.#shardId}`);
    }
    return this.#inRange({ sequenceNumber, subSequenceNumber: sub });
  }

  #inRange(position: Position): Position {
    // Java compares the last record's number with the one stored first, and so ignores a child that repeats it at
    // the end of its shard; here it always means the end.
    const isLast = comparePositions(position, this.#given) === 0;
    if (isLast) return this.#shardEnded ? SHARD_END : this.#delivered;
    if (comparePositions(position, this.#askedFor) < 0) {
      throw illegal(
        `${formatPosition(position)} comes before the last checkpoint, ${formatPosition(this.#askedFor)}`,
      );
    }
    // Where no number was stored yet, the records that were delivered are the only ones known to be in the shard.
    const first = this.#first?.sequenceNumber;
    if (first !== undefined && isSentinel(this.#askedFor.sequenceNumber)) {
      if (compareSequenceNumbers(position.sequenceNumber, first) < 0) {
        throw illegal(
          `${formatPosition(position)} comes before ${first}, the first record delivered of ${this.#shardId}`,
        );
      }
    }
    if (comparePositions(position, this.#delivered) > 0) {
      throw illegal(
        `${formatPosition(position)} comes after the last record delivered, ${formatPosition(this.#delivered)}`,
      );
    }
    return position;
  }
}

function illegal(message: string): CheckpointError {
  return new CheckpointError("IllegalArgumentException", message);
}
