// The lanes of one shard. One loop reads the shard and deals its records to the lanes; each lane is
// supervised like a shard of its own. When one lane gives up, all end in order.

import { ofLane } from "../../events.ts";
import type { HeldLease, LeaseFacts } from "../../leases/heldLease.ts";
import type { Batch } from "../../model/batch.ts";
import { comparePositions, type Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import { anySignal, sharedController } from "../../signals.ts";
import { WakeUp } from "../../wakeUp.ts";
import { positionStore } from "../consumer.ts";
import { ignoringRefusal, saveMisplaced } from "../delivery.ts";
import type { LatestStart } from "../latestStart.ts";
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

export interface LaneTotals {
  /** The time in which children worked on batches, for all lanes together. */
  readonly workedMs: number;
  readonly bytes: number;
  readonly behindMs: number;
}

/** Records that wait for the children of a shard, at most, beside one batch. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** How long the lanes may be at their limit before idle children are replaced. */
const PATIENCE_MS = 10_000;

export class Lanes {
  readonly #lease: HeldLease;
  readonly #facts: LeaseFacts;
  readonly #parts: LanedParts;
  readonly #latest: LatestStart;
  readonly #isAgain: boolean;
  readonly #lowWater: LowWater;
  readonly #marks: LaneMarks;
  readonly #lanes: readonly Lane[];
  /** Aborted when one lane gives up or the stream delivers nothing any more. */
  readonly #stop = sharedController();
  readonly #stopRequested: ReturnType<typeof anySignal>;
  readonly #over: ReturnType<typeof anySignal>;
  /** Triggered when records may be dealt again. */
  readonly #room = new WakeUp();
  #behindMs = 0;
  #childrenAdded: ReturnType<HeldLease["addChildren"]> | undefined;

  /**
   * @param latest of the shard, which is read again when the number of lanes has changed.
   * @param isAgain the number of lanes has changed.
   */
  constructor(
    lease: HeldLease,
    facts: LeaseFacts,
    parts: LanedParts,
    count: number,
    latest: LatestStart,
    isAgain: boolean,
  ) {
    this.#lease = lease;
    this.#facts = facts;
    this.#parts = parts;
    this.#latest = latest;
    this.#isAgain = isAgain;
    this.#stopRequested = anySignal(lease.stopRequested, this.#stop.signal);
    this.#over = anySignal(lease.lost, this.#stopRequested.signal);
    this.#lowWater = new LowWater(facts.checkpoint, count);
    const changed = () => this.#room.trigger();
    const store = positionStore(lease, parts);
    this.#marks = new LaneMarks(lease, this.#lowWater, store, parts.clock, changed);
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

  /** The low-water mark. */
  get mark(): Position {
    return this.#lowWater.mark;
  }

  /** What the lanes have done so far, and how far the shard's tip is ahead of what was read. */
  get totals(): LaneTotals {
    const sum = (of: (lane: Lane) => number) =>
      this.#lanes.reduce((all, lane) => all + of(lane), 0);
    return {
      workedMs: sum(({ workedMs }) => workedMs),
      bytes: sum(({ processedBytes }) => processedBytes),
      behindMs: this.#behindMs,
    };
  }

  /** Ends all lanes in order. */
  end(): void {
    this.#stop.abort();
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
    const { sinceMs: latestSinceMs } = this.#latest;
    const shard = {
      shardId,
      ...(hashKeyRange && { hashKeyRange }),
      ...(this.#isAgain && { latestSinceMs }),
    };
    const from = this.#latest.startFor(checkpoint);
    const { read } = withWatchedReader(this.#parts);
    const place = { shardId, lost, stopRequested: this.#stopRequested.signal };
    let hasEnded = false;
    try {
      for await (const batch of read(shard, from, this.#over.signal)) {
        this.#latest.saw(batch.records);
        this.#behindMs = batch.millisBehindLatest ?? this.#behindMs;
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
