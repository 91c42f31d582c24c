// A shard in memory, processors that die and checkpoint as a random number decides, and the
// promises that the lanes must keep, checked while they run. The processors are no processes, so
// that thousands of interleavings take seconds; test/daemon/lanes.test.ts has real children.

import { setImmediate } from "node:timers/promises";
import { ChildFailed } from "../../../src/child/childFailed.ts";
import { ChildDialect } from "../../../src/child/dialect.ts";
import type { AnswerCheckpoint, RecordProcessor } from "../../../src/child/recordProcessor.ts";
import type { Clock } from "../../../src/clock.ts";
import type { Event, Origin } from "../../../src/events.ts";
import { Latch } from "../../../src/latch.ts";
import { type Batch, batchOf, type RecordBatch, recordJson } from "../../../src/model/batch.ts";
import { formatPosition, type Position, TRIM_HORIZON } from "../../../src/model/position.ts";
import { superviseLanes } from "../../../src/shard/lanes/superviseLanes.ts";
import { StartTurns } from "../../../src/shard/startTurns.ts";
import { STRICT } from "../../../src/try/consumeOnce.ts";
import { MemoryLease } from "../../../src/try/memoryLease.ts";

export const SHARD = "shardId-000000000000";

export interface Chances {
  /** Of a death at each record. */
  readonly death: number;
  /** Of a checkpoint after each record. */
  readonly checkpoint: number;
  /** Of losing the lease at each record. */
  readonly loss: number;
  /** Of a stop request at each record. */
  readonly stop: number;
  /** Of a checkpoint when the child should end. */
  readonly goodbye: number;
}

/** The partition key of each record, batch by batch. */
export type Story = readonly (readonly number[])[];

export class World {
  readonly violations: string[] = [];
  readonly events: (Event & Origin)[] = [];
  readonly #keys: readonly number[];
  readonly #story: Story;
  readonly #chances: Chances;
  readonly #random: () => number;
  /** Per record: the lanes that received it, once for each time. */
  readonly deliveries: number[][];
  /** Per record: a child that processed it has requested a checkpoint. */
  readonly #safe: boolean[] = [];
  /** The last record delivered of each key. */
  readonly #lastOfKey = new Map<number, number>();
  #stored = -1;
  #lease: MemoryLease | undefined;
  #nowMs = 0;
  #pids = 0;

  constructor(story: Story, chances: Chances, random: () => number) {
    this.#story = story;
    this.#keys = story.flat();
    this.deliveries = this.#keys.map(() => []);
    this.#chances = chances;
    this.#random = random;
  }

  get hasEnded(): boolean {
    return this.#stored === Number.POSITIVE_INFINITY;
  }

  get stored(): number {
    return this.#stored;
  }

  readonly clock: Clock = {
    now: () => this.#nowMs,
    monotonicMs: () => this.#nowMs,
    sleep: async (ms, signal) => {
      if (signal?.aborted) return;
      await setImmediate();
      this.#nowMs += ms;
    },
  };

  /** One worker holds the lease, until the shard ends or the lease is gone. */
  async hold(
    lanes: number | "auto",
    settings: { readonly maxLaneAheadBytes: number },
  ): Promise<void> {
    const start = this.#stored < 0 ? TRIM_HORIZON : positionOf(this.#stored);
    const lease = new CheckedLease(start, (position) => this.#store(position));
    this.#lease = lease;
    const { clock } = this;
    await superviseLanes(lease, {
      read: (_shard, from, signal) => this.#read(from, signal, settings.maxLaneAheadBytes),
      startProcessor: async (_shardId, answer, _attempt, lane = -1) => this.#child(answer, lane),
      startTurns: new StartTurns(clock),
      settings: {
        ...STRICT,
        onChildFailure: "restart",
        maxChildRestarts: 1_000_000,
        idleTimeBetweenReadsInMillis: 0,
        millisBehindLatestThresholdForReducedTps: 0,
        parallelizationFactor: lanes,
        ...settings,
      },
      dialect: new ChildDialect("kcl2"),
      clock,
      emit: (event) => this.events.push(event),
      random: this.#random,
    });
  }

  /** What must be true at the end. */
  check(): void {
    const lost = this.#keys.flatMap((_, index) => (this.#safe[index] ? [] : [index]));
    if (lost.length > 0) this.violations.push(`never processed: ${lost.join(" ")}`);
    for (const [key, last] of this.#lastOfKey) {
      const newest = this.#keys.lastIndexOf(key);
      if (last !== newest) this.violations.push(`key ${key} ends with ${last}, not with ${newest}`);
    }
  }

  #store(position: Position): void {
    const { sequenceNumber } = position;
    const index =
      sequenceNumber === "SHARD_END" ? Number.POSITIVE_INFINITY : Number(sequenceNumber) - 1;
    const unsafe = this.#keys.findIndex((_, record) => record <= index && !this.#safe[record]);
    if (unsafe >= 0)
      this.violations.push(`stored ${formatPosition(position)} before record ${unsafe} was safe`);
    if (index < this.#stored) this.violations.push(`the stored checkpoint went back to ${index}`);
    this.#stored = index;
  }

  async *#read(from: Position, signal: AbortSignal, limit: number): AsyncGenerator<Batch> {
    const next = from.sequenceNumber === "TRIM_HORIZON" ? 0 : Number(from.sequenceNumber);
    let index = 0;
    for (const [number, keys] of this.#story.entries()) {
      const all = keys.map((key, offset) => recordOf(index + offset, key));
      const records = batchOf(all.slice(Math.max(0, next - index)));
      index += keys.length;
      await setImmediate();
      if (signal.aborted) return;
      const isLast = number === this.#story.length - 1;
      const millisBehindLatest = this.#random() < 0.5 ? 0 : 60_000;
      yield { records, millisBehindLatest, ...(isLast && { shardEnd: { children: [] } }) };
      if (signal.aborted) return;
      const unsafe = this.#keys.findIndex((_, record) => !this.#safe[record]);
      const aheadBytes = unsafe < 0 ? 0 : this.#bytes(unsafe, index);
      if (!isLast && aheadBytes >= limit) this.violations.push(`read on at ${aheadBytes} bytes`);
    }
  }

  #bytes(from: number, to: number): number {
    let sum = 0;
    for (let index = from; index < to; index += 1) {
      sum += recordOf(index, this.#keys[index] ?? 0).length;
    }
    return sum;
  }

  #child(answer: AnswerCheckpoint, lane: number): RecordProcessor {
    const failed = new AbortController();
    let [done, isEnding]: [number[], boolean] = [[], false];
    const chance = (probability: number) => this.#random() < probability;
    const pause = async () => {
      for (let turns = Math.floor(this.#random() * 4); turns > 0; turns -= 1) await setImmediate();
    };
    const dieAt = (waitingFor: string) => {
      const error = failure(waitingFor);
      failed.abort(error);
      throw error;
    };
    const checkpoint = async (sequenceNumber: string | null) => {
      for (const index of done) this.#safe[index] = true;
      await answer({ sequenceNumber, subSequenceNumber: null }).catch(() => undefined);
      done = [];
    };
    const processRecords = async (records: RecordBatch) => {
      for (let at = 0; at < records.count; at += 1) {
        const index = Number(records.position(at).sequenceNumber) - 1;
        await pause();
        if (chance(this.#chances.death)) dieAt("processRecords");
        if (chance(this.#chances.loss)) this.#lease?.lose();
        if (chance(this.#chances.stop)) this.#lease?.requestStop();
        this.#deliver(index, lane);
        done.push(index);
        if (chance(this.#chances.checkpoint)) await checkpoint(String(index + 1));
      }
      await pause();
    };
    this.#pids += 1;
    const ended = new Latch();
    return {
      pid: this.#pids,
      failed: failed.signal,
      exited: ended.wait().then(() => ({ exitCode: 0 })),
      initialize: pause,
      processRecords,
      shutdownRequested: async () => {
        isEnding = true;
        await pause();
        if (chance(this.#chances.death)) dieAt("shutdownRequested");
        if (chance(this.#chances.goodbye) && done.length > 0) await checkpoint(null);
      },
      leaseLost: pause,
      shardEnded: async () => {
        await pause();
        if (isEnding) this.violations.push("shardEnded after shutdownRequested");
        if (chance(this.#chances.death)) dieAt("shardEnded");
        await checkpoint(null);
        if (chance(this.#chances.death)) dieAt("shardEnded");
        return "shardEnded";
      },
      activity: async () => ({ writtenBytes: 0, cpuMs: undefined, waitsForDaemon: false }),
      giveUp: () => {},
      stop: async () => ended.set(),
      kill: () => ended.set(),
    };
  }

  #deliver(index: number, lane: number): void {
    const key = this.#keys[index] ?? -1;
    const before = this.#keys.lastIndexOf(key, index - 1);
    if (index > 0 && before >= 0 && this.deliveries[before]?.length === 0) {
      this.violations.push(`lane ${lane} received ${index} before ${before}, which has its key`);
    }
    if (index <= this.#stored) this.violations.push(`${index} was delivered after it was stored`);
    this.deliveries[index]?.push(lane);
    this.#lastOfKey.set(key, index);
  }
}

class CheckedLease extends MemoryLease {
  readonly #check: (position: Position) => void;

  constructor(start: Position, check: (position: Position) => void) {
    super(SHARD, start);
    this.#check = check;
  }

  override async checkpoint(position: Position): Promise<"stored" | "lost"> {
    await setImmediate();
    const result = await super.checkpoint(position);
    if (result === "stored") this.#check(position);
    return result;
  }
}

function recordOf(index: number, key: number): string {
  return recordJson({
    data: "eA==",
    partitionKey: `key-${key}`,
    sequenceNumber: String(index + 1),
    approximateArrivalTimestamp: 0,
    subSequenceNumber: 0,
  });
}

function positionOf(index: number): Position {
  return { sequenceNumber: String(index + 1), subSequenceNumber: 0 } as Position;
}

function failure(waitingFor: string): ChildFailed {
  const facts = { shardId: SHARD, argv: [], waitingFor, reason: "exit" as const };
  return new ChildFailed({ ...facts, exitCode: 3, lastStdout: [], lastStderr: [] }, "died", "");
}

/** Numbers from 0 to 1 that follow from a seed. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
