// One lane of a shard: to its child and its supervisor it is a whole shard. The supervisor, the
// consumer and everything below them are those of a shard with one child; only its lease and its
// reader are the lane's own.

import { type Emit, ofLane } from "../../events.ts";
import type { HeldLease, LeaseFacts } from "../../leases/heldLease.ts";
import type { Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import { RestartRequests } from "../restartRequests.ts";
import { type SupervisedParts, supervise, withWatchedChild } from "../supervisor.ts";
import type { LaneMarks } from "./laneMarks.ts";
import type { LaneRecords } from "./laneRecords.ts";
import type { LowWater } from "./lowWater.ts";

/** What the lanes of a shard share. */
export interface LaneContext {
  readonly lease: HeldLease;
  readonly facts: LeaseFacts;
  readonly parts: SupervisedParts;
  readonly lowWater: LowWater;
  readonly marks: LaneMarks;
  /** Aborted when the lanes should end in order. */
  readonly stopRequested: AbortSignal;
  /** Creates the leases of the shard's children, once for all lanes. */
  readonly addChildren: (children: readonly ChildShard[]) => ReturnType<HeldLease["addChildren"]>;
}

export class Lane implements HeldLease {
  readonly index: number;
  readonly records: LaneRecords;
  readonly #context: LaneContext;
  readonly #restarts = new RestartRequests();
  /** Since when its child works on a batch. */
  #workingSinceMs: number | undefined;
  #workedMs = 0;
  #processedBytes = 0;

  constructor(index: number, records: LaneRecords, context: LaneContext) {
    this.index = index;
    this.records = records;
    this.#context = context;
  }

  /** Keeps a child running, as for a shard. */
  run(): Promise<void> {
    const { parts } = this.#context;
    const { clock } = parts;
    const emitOfLane = ofLane(parts.emit, this.index);
    const emit: Emit = (event) => {
      if (event.type === "batchSent") this.#workingSinceMs = clock.monotonicMs();
      if (event.type === "batchProcessed" || event.type === "childFailed") this.#rest();
      if (event.type === "batchProcessed") this.#processedBytes += event.bytes;
      emitOfLane(event.type === "checkpointed" ? { ...event, type: "laneCheckpointed" } : event);
    };
    return supervise(
      this,
      withWatchedChild({
        ...parts,
        emit,
        // The low-water mark is written at most once in the interval.
        settings: { ...parts.settings, checkpointIntervalMs: 0 },
        restarts: this.#restarts,
        read: (_shard, from, signal) => this.records.after(from, signal),
        startProcessor: (shardId, answerCheckpoint, attempt) =>
          parts.startProcessor(shardId, answerCheckpoint, attempt, this.index),
      }),
    );
  }

  /** Replaces its child in order. */
  restart(): void {
    this.#restarts.request(this.shardId);
  }

  /** Its child has answered every batch. */
  get isIdle(): boolean {
    return this.#workingSinceMs === undefined && this.records.waitingBytes === 0;
  }

  /** For how long its children have worked on batches. */
  get workedMs(): number {
    const nowMs = this.#context.parts.clock.monotonicMs();
    return this.#workedMs + nowMs - (this.#workingSinceMs ?? nowMs);
  }

  get processedBytes(): number {
    return this.#processedBytes;
  }

  #rest(): void {
    this.#workedMs = this.workedMs;
    this.#workingSinceMs = undefined;
  }

  /** Its child has checkpointed the end of the shard. */
  get hasEnded(): boolean {
    return this.#start.sequenceNumber === "SHARD_END";
  }

  get #start(): Position {
    return this.#context.lowWater.startOf(this.index);
  }

  get shardId(): string {
    return this.#context.lease.shardId;
  }

  get lost(): AbortSignal {
    return this.#context.lease.lost;
  }

  get stopRequested(): AbortSignal {
    return this.#context.stopRequested;
  }

  get trusted(): boolean {
    return this.#context.lease.trusted;
  }

  async read(): Promise<LeaseFacts | undefined> {
    return this.trusted ? { ...this.#context.facts, checkpoint: this.#start } : undefined;
  }

  /** The shard's lanes start after its parents have ended. */
  async parentsEnded(): Promise<boolean> {
    return true;
  }

  async parentsChanged(): Promise<void> {}

  delivered(bytes: number): void {
    this.#context.lease.delivered(bytes);
  }

  async checkpoint(position: Position): Promise<"stored" | "lost"> {
    this.records.checkpointed(position);
    return this.#context.marks.checkpointed(this.index, position);
  }

  addChildren(children: readonly ChildShard[]): ReturnType<HeldLease["addChildren"]> {
    return this.#context.addChildren(children);
  }
}
