// The invariants that must hold at every moment of every run. The first violation fails the run.

import { comparePositions, formatPosition } from "../../src/model/position.ts";
import type { Process } from "./process.ts";
import type { Schedule } from "./schedule.ts";
import { nextIndex, type SimShard, type SimStream } from "./stream.ts";
import type { Write } from "./table.ts";

/** A consumer at work, or one whose process has died. */
export interface Holding {
  readonly shardId: string;
  readonly process: Process;
  readonly how: string;
  /** Whether the worker trusts the lease by its own clock. Reading this has no side effect. */
  readonly trusts: () => boolean;
  /** The counter of the lease after the take. Later takes have higher ones. */
  readonly counter: number;
}

export class Invariants {
  violation: string | undefined;
  readonly holdings = new Map<string, Set<Holding>>();
  /** True time when a worker that trusts its lease last served the shard. */
  readonly servedMs = new Map<string, number>();
  /** Shards with more than one consumer. */
  readonly #contested = new Set<string>();
  /** Shards that ever had a lease. */
  readonly #leased = new Set<string>();
  readonly #takenBy = new Map<string, Process>();
  readonly #asked = new Map<Process, { readonly atMs: number; readonly times: number }>();
  readonly #schedule: Schedule;
  readonly #stream: SimStream;

  constructor(schedule: Schedule, stream: SimStream) {
    this.#schedule = schedule;
    this.#stream = stream;
  }

  violated(what: string): void {
    this.violation ??= what;
  }

  /** A consumer received a lease. */
  held(holding: Holding): void {
    const { shardId } = holding;
    const all = this.holdings.get(shardId) ?? new Set();
    for (const other of all) if (other.process.dead) all.delete(other);
    all.add(holding);
    this.holdings.set(shardId, all);
    if (all.size > 1) this.#contested.add(shardId);
  }

  /** A consumer has returned. Its lease may still be held for a moment. */
  left(holding: Holding): void {
    const all = this.holdings.get(holding.shardId);
    all?.delete(holding);
    if (all && all.size < 2) this.#contested.delete(holding.shardId);
  }

  /** At most one worker trusts a lease. */
  checkTrust(): void {
    for (const shardId of this.#contested) {
      const trusting = [...(this.holdings.get(shardId) ?? [])].filter(isTrusted);
      if (trusting.length < 2) continue;
      const workers = trusting.map(
        ({ process, how, counter }) => `${process.name} (${how} at ${counter})`,
      );
      this.violated(`${shardId} is trusted by ${workers.join(" and ")}`);
    }
  }

  written({ operation, by, before, after }: Write): void {
    const shardId = (after ?? before)?.shardId ?? "";
    this.#leased.add(shardId);
    const shard = this.#stream.shards.get(shardId);
    if (!shard) {
      this.violated(`a row for ${shardId}, which does not exist`);
      return;
    }
    if (operation === "take") this.#takenBy.set(shardId, by);
    // If a take has no response, the worker that the leader assigned the lease to may believe that
    // its take succeeded.
    if (operation === "assign") this.#takenBy.delete(shardId);
    if (operation === "delete") this.#deleted(shard);
    if (!before || !after) return;
    const taker = this.#takenBy.get(shardId);
    // A process that restarts with its old worker id may believe that it took the lease itself.
    const isHeir = taker?.dead && before.owner === after.owner;
    if ((operation === "renew" || operation === "checkpoint") && taker && taker !== by && !isHeir) {
      this.violated(`${by.name} wrote (${operation}) to ${shardId}, which it does not hold`);
    }
    if (comparePositions(after.checkpoint, before.checkpoint) < 0) {
      this.violated(
        `the checkpoint of ${shardId} went back from ${formatPosition(before.checkpoint)} to ${formatPosition(after.checkpoint)}`,
      );
    }
    if (operation === "checkpoint") this.#checkpointed(shard, nextIndex(shard, after.checkpoint));
  }

  /**
   * A worker requests at most the permitted number of leases at a time. The requests of one scan
   * are made in one moment.
   */
  asks(by: Process, mostAtOneTime: number): void {
    const { nowMs } = this.#schedule;
    const before = this.#asked.get(by);
    const times = before?.atMs === nowMs ? before.times + 1 : 1;
    this.#asked.set(by, { atMs: nowMs, times });
    if (times > mostAtOneTime) this.violated(`${by.name} requests ${times} leases at a time`);
  }

  /** All records of the parents have been consumed, and no consumer reads them any more. */
  begins(shard: SimShard, by: Process): void {
    for (const parent of shard.parents) {
      if (parent.consumed < this.#total(parent)) {
        this.violated(
          `${by.name} starts ${shard.shardId} while its parent ${parent.shardId} is at ${parent.consumed} of ${this.#total(parent)}`,
        );
      }
    }
  }

  consumed(shard: SimShard, from: number, to: number, by: Process): void {
    if (from > shard.consumed) {
      this.violated(
        `${by.name} read ${shard.shardId} from ${from}; ${shard.consumed} to ${from} were never consumed`,
      );
    }
    shard.consumed = Math.max(shard.consumed, to);
  }

  serving(shardId: string): Holding | undefined {
    for (const holding of this.holdings.get(shardId) ?? []) if (isTrusted(holding)) return holding;
    return undefined;
  }

  #checkpointed(shard: SimShard, next: number): void {
    if (next !== Number.POSITIVE_INFINITY) {
      if (next > shard.consumed)
        this.violated(`${shard.shardId} was checkpointed beyond its records`);
      return;
    }
    if (shard.consumed < this.#total(shard)) this.violated(`${shard.shardId} ended before its end`);
    for (const child of shard.children) {
      if (this.#leased.has(child.shardId)) continue;
      this.violated(`${shard.shardId} ended before its child ${child.shardId} had a lease`);
    }
  }

  #deleted(shard: SimShard): void {
    if (shard.consumed < this.#total(shard)) {
      this.violated(`the lease of ${shard.shardId} was deleted before all records were consumed`);
    }
    for (const child of shard.children) {
      if (!this.#leased.has(child.shardId)) {
        this.violated(`the lease of ${shard.shardId} was deleted before ${child.shardId} had one`);
      }
    }
  }

  #total(shard: SimShard): number {
    if (shard.closedMs === undefined) return Number.POSITIVE_INFINITY;
    return this.#stream.tip(shard, this.#schedule.nowMs);
  }
}

function isTrusted({ process, trusts }: Holding): boolean {
  return !process.dead && trusts();
}
