// Keeps several children running for one shard. Each is a lane: it receives the records whose
// partition keys have its hash, in order, and believes that it has the shard. One loop reads the
// shard and deals its records to the lanes; each lane is supervised like a shard of its own.
//
// When one lane gives up, all end in order and the lease is released. The next worker starts behind
// the low-water mark.

import { ofLane } from "../../events.ts";
import type { HeldLease, LeaseFacts } from "../../leases/heldLease.ts";
import type { Batch } from "../../model/batch.ts";
import { comparePositions, type Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import { anySignal, sharedController } from "../../signals.ts";
import { WakeUp } from "../../wakeUp.ts";
import { positionStore, waitForParents } from "../consumer.ts";
import { ignoringRefusal, saveMisplaced } from "../delivery.ts";
import type { LaneSettings, SupervisionSettings } from "../life.ts";
import { type SupervisedParts, withWatchedReader } from "../supervisor.ts";
import { keyHash } from "./keyHash.ts";
import { Lane } from "./lane.ts";
import { LaneMarks } from "./laneMarks.ts";
import { LaneRecords } from "./laneRecords.ts";
import { type DealtPart, LowWater } from "./lowWater.ts";

export interface LanedParts extends SupervisedParts {
  readonly settings: SupervisionSettings & LaneSettings;
}

/** Records that wait for the children of a shard, at most, beside one batch. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** How long the lanes may be at their limit before idle children are replaced. */
const PATIENCE_MS = 10_000;

/**
 * Returns when the shard has ended, the lease is lost, a stop is requested, or another worker
 * should take the lease.
 *
 * @throws the failure of a child when the user wants it to end the daemon.
 */
export async function superviseLanes(lease: HeldLease, parts: LanedParts): Promise<void> {
  const facts = await waitForParents(lease, parts);
  if (!facts || facts.checkpoint.sequenceNumber === "SHARD_END") return;
  await new Lanes(lease, facts, parts).run();
}

class Lanes {
  readonly #lease: HeldLease;
  readonly #facts: LeaseFacts;
  readonly #parts: LanedParts;
  readonly #lowWater: LowWater;
  readonly #marks: LaneMarks;
  readonly #lanes: readonly Lane[];
  /** Aborted when one lane gives up or the stream delivers nothing any more. */
  readonly #stop = sharedController();
  readonly #stopRequested: ReturnType<typeof anySignal>;
  readonly #over: ReturnType<typeof anySignal>;
  /** Triggered when records may be dealt again. */
  readonly #room = new WakeUp();
  #childrenAdded: ReturnType<HeldLease["addChildren"]> | undefined;

  constructor(lease: HeldLease, facts: LeaseFacts, parts: LanedParts) {
    const { parallelizationFactor: count } = parts.settings;
    this.#lease = lease;
    this.#facts = facts;
    this.#parts = parts;
    this.#stopRequested = anySignal(lease.stopRequested, this.#stop.signal);
    this.#over = anySignal(lease.lost, this.#stopRequested.signal);
    this.#lowWater = new LowWater(facts.checkpoint, count);
    const changed = () => this.#room.trigger();
    this.#marks = new LaneMarks(lease, this.#lowWater, positionStore(lease, parts), changed);
    const context = {
      lease,
      facts,
      parts,
      lowWater: this.#lowWater,
      marks: this.#marks,
      stopRequested: this.#stopRequested.signal,
      addChildren: (children: readonly ChildShard[]) => this.#addChildren(children),
    };
    this.#lanes = Array.from(
      { length: count },
      (_, index) => new Lane(index, new LaneRecords(changed), context),
    );
  }

  async run(): Promise<void> {
    const { emit, restarts } = this.#parts;
    const { shardId } = this.#lease;
    emit({ type: "lanesStarted", shardId, lanes: this.#lanes.length });
    restarts?.serve(shardId, () => {
      for (const lane of this.#lanes) lane.restart();
    });
    try {
      const ends = [this.#deal(), ...this.#lanes.map((lane) => this.#run(lane))];
      const failed = (await Promise.allSettled(ends)).find(({ status }) => status === "rejected");
      if (failed?.status === "rejected") throw failed.reason;
    } finally {
      restarts?.end(shardId);
      this.#over.release();
      this.#stopRequested.release();
      await this.#marks.close();
    }
  }

  /** A lane that ends before the shard does ends the others, too. */
  async #run(lane: Lane): Promise<void> {
    try {
      await lane.run();
    } finally {
      if (!lane.hasEnded) this.#stop.abort();
    }
  }

  /** Reads the shard and deals its records to the lanes. */
  async #deal(): Promise<void> {
    const { hashKeyRange, checkpoint } = this.#facts;
    const { shardId, lost } = this.#lease;
    const shard = { shardId, ...(hashKeyRange && { hashKeyRange }) };
    const place = { shardId, lost, stopRequested: this.#stopRequested.signal };
    let hasEnded = false;
    try {
      for await (const batch of withWatchedReader(this.#parts).read(
        shard,
        checkpoint,
        this.#over.signal,
      )) {
        for (const records of batch.misplaced ?? []) {
          if (!(await saveMisplaced(records, place, this.#parts))) return;
        }
        await this.#dealBatch(batch);
        hasEnded = batch.shardEnd !== undefined;
        if (!hasEnded) await this.#waitForRoom();
      }
    } finally {
      if (!hasEnded) this.#stop.abort();
    }
  }

  async #dealBatch(batch: Batch): Promise<void> {
    const { records, millisBehindLatest: behindMs, misplaced = [], shardEnd } = batch;
    const { length: count } = this.#lanes;
    const dealt = records.dealt(count, (json, start) => keyHash(json, start) % count);
    const parts = dealt.flatMap(({ part: lane, first, records: { last } }) => {
      const before = first === 0 ? undefined : records.position(first - 1);
      return last ? { lane, before, last } : [];
    });
    const end = later(records.last, misplaced.at(-1)?.last);
    if (end) this.#lowWater.dealt({ end, bytes: records.textBytes, parts });
    for (const { part, records: own } of dealt) {
      if (own.last) this.#lanes[part]?.records.put(own, own.last, behindMs);
    }
    records.free();
    this.#dealEmpty(parts, behindMs);
    if (shardEnd) for (const { records: own } of this.#lanes) own.end(shardEnd);
    // No lane will ever checkpoint records that none receives.
    if (end && parts.length === 0) await ignoringRefusal(this.#marks.store());
  }

  /** For processors that want a call whenever the shard was read. */
  #dealEmpty(parts: readonly DealtPart[], behindMs: number | undefined): void {
    if (!this.#parts.settings.callProcessRecordsEvenForEmptyRecordList) return;
    const busy = new Set(parts.map(({ lane }) => lane));
    for (const { index, records } of this.#lanes) if (!busy.has(index)) records.putEmpty(behindMs);
  }

  async #waitForRoom(): Promise<void> {
    const { clock } = this.#parts;
    const { signal: over } = this.#over;
    let [mark, sinceMs] = [this.#lowWater.mark, clock.monotonicMs()];
    for (;;) {
      this.#room.clear();
      const isAtLimit = this.#lowWater.aheadBytes >= this.#parts.settings.maxLaneAheadBytes;
      const waiting = this.#lanes.reduce((sum, { records }) => sum + records.waitingBytes, 0);
      if (over.aborted || (!isAtLimit && waiting < WAITING_BYTES_MAX)) return;
      const nowMs = clock.monotonicMs();
      if (mark !== this.#lowWater.mark) [mark, sinceMs] = [this.#lowWater.mark, nowMs];
      if (isAtLimit && nowMs - sinceMs >= PATIENCE_MS) {
        this.#replaceIdleHolders(nowMs - sinceMs);
        sinceMs = nowMs;
      }
      await this.#room.sleep(clock, sinceMs + PATIENCE_MS - nowMs, over);
    }
  }

  /**
   * An idle child checkpoints nothing more, because it gets no records as long as the others are at
   * their limit. Before it ends, it may checkpoint.
   */
  #replaceIdleHolders(waitedMs: number): void {
    const { emit } = this.#parts;
    const { shardId } = this.#lease;
    const { aheadBytes, holders } = this.#lowWater;
    const { maxLaneAheadBytes: limitBytes } = this.#parts.settings;
    for (const lane of this.#lanes.filter(
      ({ index, isIdle }) => isIdle && holders.includes(index),
    )) {
      const facts = { shardId, aheadBytes, limitBytes, waitedMs };
      ofLane(emit, lane.index)({ type: "laneHoldsBack", ...facts });
      lane.restart();
    }
  }

  async #addChildren(children: readonly ChildShard[]): ReturnType<HeldLease["addChildren"]> {
    this.#childrenAdded ??= this.#lease.addChildren(children);
    const forget = () => {
      this.#childrenAdded = undefined;
    };
    this.#childrenAdded.catch(forget);
    const result = await this.#childrenAdded;
    if (result === "later") forget();
    return result;
  }
}

function later(a: Position | undefined, b: Position | undefined): Position | undefined {
  return a && b && comparePositions(a, b) < 0 ? b : (a ?? b);
}
