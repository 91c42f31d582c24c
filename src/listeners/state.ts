// What an operator wants to see of a running daemon: a reducer over its events. `/shards`, the page
// and `top` show this state and nothing else (state/snapshot.ts is how they see it).
//
// It reads no clock and starts nothing: the same events at the same times make the same state. Its
// memory is bounded: about 3 KiB for each shard, and lists of limited length.

import type { Event, Origin } from "../events.ts";
import { describe, levelOf } from "./logLines.ts";
import { FleetState } from "./state/fleetState.ts";
import { History } from "./state/history.ts";
import { Readiness } from "./state/readiness.ts";
import { applyToShard, newShard, type ShardState } from "./state/shardState.ts";

export interface Incident {
  readonly atMs: number;
  readonly level: "warn" | "error";
  readonly event: Event["type"];
  readonly shardId: string | undefined;
  /** As in the log: redact it before it is shown. */
  readonly message: string;
}

export interface Burial {
  readonly atMs: number;
  readonly shardId: string;
  readonly records: number;
  readonly event: Extract<Event, { type: "recordsBuried" }>;
}

/** Shards that this worker no longer holds, and is still asked about. */
const FORMER_SHARDS = 100;
const INCIDENTS = 40;
const BURIALS = 20;
const MESSAGE_CHARS = 600;

export class DaemonState {
  application = { applicationName: "", streamName: "", workerId: "", version: "" };
  startedMs: number | undefined;
  readonly readiness = new Readiness();
  readonly shards = new Map<string, ShardState>();
  readonly fleet = new FleetState();
  /** Of all shards together; the lag is the longest. */
  readonly history = new History();
  readonly incidents: Incident[] = [];
  readonly burials: Burial[] = [];
  totals = { records: 0, bytes: 0, restarts: 0, deadLetters: 0 };
  /** When the loop over the leases, or a renewal, was last seen to do anything. */
  leaseLoopMs: number | undefined;

  /** @param nowMs of a clock that never goes back. */
  saw(event: Event & Origin, nowMs: number): void {
    this.readiness.saw(event);
    if (showsLeaseLoop(event)) this.leaseLoopMs = nowMs;
    this.#sawShard(event, nowMs);
    this.#count(event, nowMs);
    this.#noteIncident(event, nowMs);
  }

  #sawShard(event: Event & Origin, nowMs: number): void {
    if (!("shardId" in event) || event.shardId === undefined) return;
    const { shardId } = event;
    const known = this.shards.get(shardId);
    if (!known && event.type !== "leaseTaken") return;
    const shard = known ?? newShard(shardId);
    applyToShard(shard, event, nowMs);
    if (event.type === "leaseTaken" || !shard.isHeld) this.#placeLast(shard);
    if (event.type === "leaseDeleted") this.shards.delete(shardId);
  }

  /** Forgets the shards that were left longest ago. */
  #placeLast(shard: ShardState): void {
    this.shards.delete(shard.shardId);
    this.shards.set(shard.shardId, shard);
    const former = [...this.shards.values()].filter(({ isHeld }) => !isHeld);
    for (const { shardId } of former.slice(0, Math.max(0, former.length - FORMER_SHARDS))) {
      this.shards.delete(shardId);
    }
  }

  #count(event: Event, nowMs: number): void {
    const { totals } = this;
    switch (event.type) {
      case "daemonStarted": {
        const { applicationName, streamName, workerId, version } = event;
        this.application = { applicationName, streamName, workerId, version };
        this.startedMs = nowMs;
        this.leaseLoopMs = nowMs;
        break;
      }
      case "leasesSeen":
        this.fleet.saw(event.rows(), nowMs);
        break;
      case "leaseDeleted":
        this.fleet.deleted(event.shardId);
        break;
      case "batchProcessed":
        totals.records += event.records;
        totals.bytes += event.bytes;
        this.history.processed(event.records, event.bytes, nowMs);
        if (event.millisBehindLatest !== undefined)
          this.history.lag(event.millisBehindLatest, nowMs);
        break;
      case "childFailed":
        if (event.next === "restart") totals.restarts += 1;
        break;
      case "recordsBuried":
        totals.deadLetters += event.records;
        push(
          this.burials,
          { atMs: nowMs, shardId: event.shardId, records: event.records, event },
          BURIALS,
        );
        break;
    }
  }

  #noteIncident(event: Event, atMs: number): void {
    const level = levelOf(event);
    if (level !== "warn" && level !== "error") return;
    const shardId = "shardId" in event ? event.shardId : undefined;
    const [first = ""] = describe(event).message.split("\n", 1);
    const message = first.slice(0, MESSAGE_CHARS);
    // A failure that comes again and again is shown once, as it was last.
    const same = this.incidents.findIndex(
      (each) => each.event === event.type && each.shardId === shardId,
    );
    if (same >= 0) this.incidents.splice(same, 1);
    push(this.incidents, { atMs, level, event: event.type, shardId, message }, INCIDENTS);
  }
}

/** A failed call proves as well as a successful one that the loop goes on. */
function showsLeaseLoop({ type }: Event): boolean {
  return (
    type === "leasesSeen" ||
    type === "leaseRenewed" ||
    type === "serviceTrouble" ||
    type === "drained" ||
    type === "resumed"
  );
}

function push<T>(list: T[], item: T, limit: number): void {
  list.push(item);
  if (list.length > limit) list.shift();
}
