// Leases whose rows contradict the stream are isolated: this worker does not take such a lease
// until its row changes. So a wrong row stops its own shard and no other.

import type { Contradiction } from "./decisions/contradictions.ts";
import type { Observation } from "./decisions/observation.ts";
import type { Lease } from "./lease.ts";

export class IsolatedLeases {
  /** The content of each row at the time when it was isolated. */
  #rows: ReadonlyMap<string, string> = new Map();
  #contradictions: readonly Contradiction[] = [];

  get contradictions(): readonly Contradiction[] {
    return this.#contradictions;
  }

  /** Replaces the leases that were isolated before. */
  replace(leases: readonly Lease[], contradictions: readonly Contradiction[]): void {
    const wrong = new Set(contradictions.map(({ shardId }) => shardId));
    const rows = leases.filter(({ shardId }) => wrong.has(shardId));
    this.#contradictions = contradictions;
    this.#rows = new Map(rows.map((lease) => [lease.shardId, content(lease)]));
  }

  /** Shards among these leases whose rows have not changed since they were isolated. */
  among(leases: Observation): readonly string[] {
    const isUnchanged = ([shardId, row]: readonly [string, string]) => {
      const seen = leases.get(shardId);
      return seen !== undefined && content(seen.lease) === row;
    };
    return [...this.#rows].filter(isUnchanged).map(([shardId]) => shardId);
  }
}

function content({ checkpoint, hashKeyRange }: Lease): string {
  return JSON.stringify([checkpoint, hashKeyRange]);
}
