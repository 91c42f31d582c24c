// Decides what a child's checkpoint request means, and stores it: the allowed range, the end of a
// shard, and the name of the error that the child receives. One instance per child. The rules are
// KCL's, plus one: it does not store a sequence number that Kinesis would refuse as a start
// position.

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

/**
 * Stores a position in the lease table; `"lost"` when this worker does not hold the lease any more.
 */
export type StorePosition = (position: Position) => Promise<"stored" | "lost">;

export class Checkpointer {
  readonly #shardId: string;
  readonly #store: StorePosition;
  #stored: Position;
  /** The last position that the child itself requested; the stored position may be ahead of it. */
  #requested: Position;
  /** The first record that the child received. */
  #first: Position | undefined;
  /** The last record that the child received; before the first one, its start position. */
  #received: Position;
  /** `#received`, or a later record that no child receives: the end of what is dealt with. */
  #delivered: Position;
  #shardEnded = false;

  constructor(shardId: string, start: Position, store: StorePosition) {
    this.#shardId = shardId;
    this.#stored = start;
    this.#requested = start;
    this.#received = start;
    this.#delivered = start;
    this.#store = store;
  }

  /** The position in the lease table. */
  get stored(): Position {
    return this.#stored;
  }

  /** True when the child has checkpointed the end of its shard. */
  get reachedShardEnd(): boolean {
    return this.#stored.sequenceNumber === "SHARD_END";
  }

  /** Call this before the child gets the records, because it may checkpoint while it works. */
  delivering(last: Position, first: Position = last): void {
    this.#first ??= first;
    this.#received = last;
    this.#delivered = last;
  }

  /**
   * Advances past records that are not delivered, which no child will ever checkpoint. If
   * everything before them is checkpointed, stores their end now. Otherwise the child's next
   * checkpoint includes them.
   *
   * @throws CheckpointError when the position cannot be stored.
   */
  async advancePast(last: Position): Promise<void> {
    const isUpToDate = comparePositions(this.#stored, this.#delivered) === 0;
    this.#delivered = last;
    if (isUpToDate) await this.#write(last);
  }

  /**
   * Call this before `shardEnded` is sent: a checkpoint without arguments then means SHARD_END.
   */
  endShard(): void {
    this.#shardEnded = true;
  }

  /** @throws CheckpointError whose `name` the child receives. */
  async checkpoint(request: CheckpointRequest): Promise<void> {
    const position = this.#resolve(request);
    if (comparePositions(position, this.#stored) > 0) await this.#write(position);
    this.#requested = position;
  }

  async #write(position: Position): Promise<void> {
    if ((await this.#store(position)) === "lost") {
      throw new CheckpointError(
        "ShutdownException",
        "this worker does not hold the lease any more: it expired, or another worker took it",
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
    if (!isOfShard(this.#shardId, sequenceNumber, this.#received.sequenceNumber)) {
      throw illegal(`${sequenceNumber} belongs to another shard, not to ${this.#shardId}`);
    }
    return this.#inRange({ sequenceNumber, subSequenceNumber: sub });
  }

  #inRange(position: Position): Position {
    // Java first compares the number with the stored one, and so ignores a child that repeats the
    // last record's number at the end of its shard. Here that number always means the end.
    const isLast = comparePositions(position, this.#received) === 0;
    if (isLast) return this.#shardEnded ? SHARD_END : this.#delivered;
    if (comparePositions(position, this.#requested) < 0) {
      throw illegal(
        `${formatPosition(position)} is before the last checkpoint, ${formatPosition(this.#requested)}`,
      );
    }
    // Before the first stored number, only the delivered records are known to be in the shard.
    const first = this.#first?.sequenceNumber;
    if (first !== undefined && isSentinel(this.#requested.sequenceNumber)) {
      if (compareSequenceNumbers(position.sequenceNumber, first) < 0) {
        throw illegal(
          `${formatPosition(position)} is before ${first}, the first record delivered from ${this.#shardId}`,
        );
      }
    }
    if (comparePositions(position, this.#delivered) > 0) {
      throw illegal(
        `${formatPosition(position)} is after the last record delivered, ${formatPosition(this.#delivered)}`,
      );
    }
    return position;
  }
}

function illegal(message: string): CheckpointError {
  return new CheckpointError("IllegalArgumentException", message);
}
