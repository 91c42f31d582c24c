// The consumer of ../consumer.ts with callbacks. It waits for the parents and processes batch after
// batch. Sometimes it checkpoints. At the end it creates the child shards' leases and stores the
// end of the shard.

import { childLease } from "../../../src/leases/holding/childLeases.ts";
import { blocksChildren } from "../../../src/leases/lease.ts";
import { SHARD_END } from "../../../src/model/position.ts";
import { writes } from "../rowWrites.ts";
import type { Event } from "../schedule.ts";
import { asChild, nextIndex, positionOf, type SimShard } from "../stream.ts";
import type { Service } from "./service.ts";
import type { PureTenure } from "./tenure.ts";

/** Nothing more will arrive, so frequent reads are not needed. */
const QUIET_MS = 3_600_000;
const TROUBLE_MS = 100;

export class PureConsumer {
  readonly #tenure: PureTenure;
  readonly #shard: SimShard;
  readonly #service: Service;
  readonly #leasesAdded: () => void;
  readonly #returned: () => void;
  #nap:
    | { readonly timer: Event; readonly wake: () => void; readonly endsEarly: boolean }
    | undefined;
  /** Whether it waits for a response of the table, while it holds the lease. */
  #isAsking = false;
  #done = 0;
  #stored = 0;

  constructor(
    tenure: PureTenure,
    shard: SimShard,
    service: Service,
    leasesAdded: () => void,
    returned: () => void,
  ) {
    this.#tenure = tenure;
    this.#shard = shard;
    this.#service = service;
    this.#leasesAdded = leasesAdded;
    this.#returned = returned;
  }

  /** The lease is lost, or a stop was requested: a pause ends at once. */
  interrupt(): void {
    const { process } = this.#service.parts;
    const nap = this.#nap;
    if (this.#isAsking && !this.#tenure.trusted) {
      this.#isAsking = false;
      process.after(0, this.#returned);
    }
    if (!nap) return;
    nap.timer.run = undefined;
    this.#nap = undefined;
    process.after(0, nap.wake);
  }

  /** A parent of the shard may have ended. */
  ring(): void {
    if (this.#nap?.endsEarly) this.interrupt();
  }

  waitForParents(): void {
    const { lease } = this.#tenure;
    if (this.#isOver()) {
      this.#returned();
      return;
    }
    const ask = (left: readonly string[]): void => {
      const [parent, ...others] = left;
      if (parent === undefined) {
        this.#begin();
        return;
      }
      this.#until("read", this.#service.read(parent), (row) => {
        if (!blocksChildren(row)) return ask(others);
        if (this.#isOver()) return this.#returned();
        this.#sleep(this.#pace.parentPollMs, () => this.waitForParents(), true);
      });
    };
    ask(lease.parentShardIds);
  }

  #begin(): void {
    const { invariants, process } = this.#service.parts;
    this.#tenure.look((isOurs) => {
      if (this.#isOver()) return this.#returned();
      // The request failed.
      if (!isOurs) return process.timer(TROUBLE_MS, () => this.#begin());
      const { checkpoint } = this.#tenure.lease;
      if (checkpoint.sequenceNumber === "SHARD_END") return this.#returned();
      invariants.begins(this.#shard, process);
      this.#done = nextIndex(this.#shard, checkpoint);
      this.#stored = this.#done;
      this.#await();
    });
  }

  #await(): void {
    const { stream, schedule, process } = this.#service.parts;
    const quiet = stream.isOver(this.#shard, this.#done, schedule.nowMs);
    const ms = quiet ? QUIET_MS : this.#pace.readMs * process.random.between(0.5, 1.5);
    this.#sleep(ms, () => this.#read());
  }

  #read(): void {
    const { stream, schedule, process, invariants } = this.#service.parts;
    const shard = this.#shard;
    if (!this.#tenure.trusted) {
      this.#returned();
      return;
    }
    if (this.#tenure.stopRequested) {
      // A child may checkpoint when it receives shutdownRequested.
      if (this.#done === this.#stored || !process.random.chance(0.7)) {
        this.#returned();
        return;
      }
      this.#tenure.checkpoint(positionOf(shard, this.#done - 1), () => this.#returned());
      return;
    }
    const closed = shard.closedMs !== undefined;
    const from = this.#done;
    const to = Math.min(stream.tip(shard, schedule.nowMs), from + this.#pace.maxRecords);
    if (to <= from) {
      this.#goOn(closed);
      return;
    }
    process.timer(this.#pace.workMs * process.random.between(0.5, 1.5), () => {
      invariants.consumed(shard, from, to, process);
      this.#done = to;
      if (!process.random.chance(this.#pace.checkpoints)) return this.#goOn(closed);
      this.#tenure.checkpoint(positionOf(shard, to - 1), (result) => {
        if (result === "stored") this.#stored = to;
        this.#goOn(closed);
      });
    });
  }

  #goOn(closed: boolean): void {
    const { stream, schedule } = this.#service.parts;
    if (!this.#tenure.trusted) {
      this.#returned();
      return;
    }
    const isDone = closed && this.#done >= stream.tip(this.#shard, schedule.nowMs);
    if (isDone) this.#addChildren();
    else this.#await();
  }

  #addChildren(): void {
    const [only, second] = this.#shard.children.map(asChild);
    if (!only || second) {
      this.#makeChildren();
      return;
    }
    // The child of a merge is created only when both parents have leases.
    const other = only.parentShardIds.find((id) => id !== this.#shard.shardId) ?? "";
    this.#until("read", this.#service.read(only.shardId), (child) => {
      if (child) return this.#makeChildren();
      this.#until("read", this.#service.read(other), (parent) => {
        if (parent) return this.#makeChildren();
        if (this.#isOver()) return this.#returned();
        this.#sleep(this.#pace.parentPollMs, () => this.#addChildren());
      });
    });
  }

  #makeChildren(): void {
    const { children, shardId } = this.#shard;
    const childShardIds = children.map((child) => child.shardId);
    const make = (left: readonly SimShard[]): void => {
      const [child, ...others] = left;
      if (child) {
        const create = this.#service.create(childLease(asChild(child)));
        this.#until("create", create, () => make(others));
        return;
      }
      const note = this.#service.write(shardId, writes.note({ childShardIds }));
      this.#until("note", note, (result) => {
        if (result === "conflict") this.#tenure.lose("its row was deleted");
        else this.#leasesAdded();
        this.#storeEnd();
      });
    };
    make(children);
  }

  #storeEnd(): void {
    if (!this.#tenure.trusted) {
      this.#returned();
      return;
    }
    this.#tenure.checkpoint(SHARD_END, (result) => {
      if (result !== "refused") return this.#returned();
      this.#service.parts.process.timer(this.#pace.parentPollMs, () => this.#storeEnd());
    });
  }

  #until<T>(operation: "read" | "create" | "note", apply: () => T, done: (value: T) => void): void {
    if (!this.#tenure.trusted) {
      this.#returned();
      return;
    }
    this.#isAsking = true;
    const wish = { wanted: () => this.#tenure.trusted };
    this.#service.until(wish, operation, apply, (value) => {
      if (!this.#isAsking) return;
      this.#isAsking = false;
      done(value);
    });
  }

  #isOver(): boolean {
    return this.#tenure.stopRequested || !this.#tenure.trusted;
  }

  get #pace() {
    return this.#service.parts.scenario.pace;
  }

  /** @param endsEarly whether an event of a parent ends the pause. */
  #sleep(ms: number, wake: () => void, endsEarly = false): void {
    const timer = this.#service.parts.process.timer(this.#isOver() ? 0 : ms, () => {
      this.#nap = undefined;
      wake();
    });
    this.#nap = { timer, wake, endsEarly };
  }
}
