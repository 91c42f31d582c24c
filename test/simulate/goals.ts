// What a fleet without incidents must reach, and by when: every shard served, the leases spread
// evenly, and then no more changes.

import { type FleetSize, longestRestMs } from "../../src/leases/decisions/scanPace.ts";
import { actualOwner, hasEnded } from "../../src/leases/lease.ts";
import type { Crew } from "./crew.ts";
import type { Invariants } from "./invariants.ts";
import type { Scenario } from "./scenario.ts";
import type { Schedule } from "./schedule.ts";
import type { SimStream } from "./stream.ts";
import type { SimTable } from "./table.ts";

export interface GoalParts {
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly stream: SimStream;
  readonly table: SimTable;
  readonly invariants: Invariants;
  readonly fleet: Crew;
}

export class Goals {
  readonly #parts: GoalParts;

  constructor(parts: GoalParts) {
    this.#parts = parts;
  }

  /**
   * A dead owner's lease expires (by a slow clock). A scan must see that, and the lease may first
   * have to count as neglected. Every generation of child shards is found by another scan. A row
   * that is missing from the table is believed after three audits.
   */
  get servedWithinMs(): number {
    const { settings, pace } = this.#parts.scenario;
    const { failoverTimeMillis, auditConfidence = 3 } = settings;
    const restMs = longestRestMs(this.#size, failoverTimeMillis);
    const generations = generationsOf(this.#parts.stream);
    return (
      (3.2 + 1.1 * auditConfidence) * failoverTimeMillis +
      (3 + 2 * generations) * (restMs + pace.parentPollMs + 3_000) +
      generations * 8 * pace.readMs +
      this.ledMs * (1 + generations)
    );
  }

  /** A worker with too few leases takes at least one after each scan. */
  get evenWithinMs(): number {
    const { scenario, stream, fleet } = this.#parts;
    const { failoverTimeMillis } = scenario.settings;
    const restMs = longestRestMs(this.#size, failoverTimeMillis);
    const share = stream.open.length / Math.max(1, fleet.active.length);
    return this.ledMs + 6 * failoverTimeMillis + (4 * share + 20) * restMs;
  }

  /**
   * A leader scans rarely. Leases that it overlooks are rescued after one and a half of its
   * intervals.
   */
  get ledMs(): number {
    const { failoverTimeMillis, leaseAssignmentIntervalMillis } = this.#parts.scenario.settings;
    return this.#parts.scenario.led ? failoverTimeMillis + 3 * leaseAssignmentIntervalMillis : 0;
  }

  get #size(): FleetSize {
    const { table, fleet } = this.#parts;
    const owners = [...table.rows.values()].flatMap(({ lease }) => actualOwner(lease) ?? []);
    const names = new Set([...owners, ...fleet.active.map(({ workerId }) => workerId)]);
    return { leases: table.rows.size, workers: names.size };
  }

  /**
   * The shards without a consumer though they have work, and the shards without a lease though they
   * should have one. "" if there are none.
   */
  unserved(): string {
    const { stream, table, schedule, invariants } = this.#parts;
    for (const shard of stream.shards.values()) {
      const { shardId } = shard;
      const row = table.rows.get(shardId)?.lease;
      if (shard.closedMs !== undefined) {
        const total = stream.tip(shard, schedule.nowMs);
        if (shard.consumed < total) return `${shardId} is at ${shard.consumed} of ${total}`;
        if (row && !hasEnded(row)) return `the end of ${shardId} is not stored`;
        continue;
      }
      if (!row) return `${shardId} has no lease`;
      if (!invariants.serving(shardId)) return `${shardId} has no consumer (owner ${row.owner})`;
    }
    return "";
  }

  /**
   * Leases without a live owner, or a difference of more than one lease between two workers. "" if
   * there are none.
   */
  uneven(): string {
    const { fleet, table } = this.#parts;
    const counts = new Map(fleet.active.map(({ workerId }) => [workerId, 0]));
    for (const { lease } of table.rows.values()) {
      if (hasEnded(lease)) continue;
      const owner = actualOwner(lease) ?? "nobody";
      const count = counts.get(owner);
      if (count === undefined) return `${lease.shardId} belongs to ${owner}`;
      counts.set(owner, count + 1);
    }
    const all = [...counts.values()];
    return Math.max(...all) - Math.min(...all) > 1
      ? `the leases are spread as ${all.join(", ")}`
      : "";
  }

  /** How many leases were taken or lost so far. */
  moves(): number {
    let sum = 0;
    for (const [what, count] of this.#parts.fleet.counts) {
      if (/leaseTaken|leaseLost/.test(what)) sum += count;
    }
    return sum;
  }
}

function generationsOf(stream: SimStream): number {
  const depths = new Map<string, number>();
  let deepest = 1;
  for (const { shardId, parents } of stream.shards.values()) {
    const depth = 1 + Math.max(0, ...parents.map((parent) => depths.get(parent.shardId) ?? 0));
    depths.set(shardId, depth);
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
