// Leases whose rows contradict the stream are set aside: this worker takes none of them until its row says something
// else. So a bad row stops its own shard, and no other.

import type { Contradiction } from "./decisions/contradictions.ts";
import type { Observation } from "./decisions/leaseAges.ts";
import type { Lease } from "./lease.ts";

export class SetAside {
  /** What each row said. */
  #rows: ReadonlyMap<string, string> = new Map();
  #contradictions: readonly Contradiction[] = [];

  get contradictions(): readonly Contradiction[] {
    return this.#contradictions;
  }

  /** Replaces those set aside before. */
  put(leases: readonly Lease[], contradictions: readonly Contradiction[]): void {
    const bad = new Set(contradictions.map(({ shardId }) => shardId));
    const rows = leases.filter(({ shardId }) => bad.has(shardId));
    this.#contradictions = contradictions;
    this.#rows = new Map(rows.map((lease) => [lease.shardId, content(lease)]));
  }

  /** Those of the leases that still say what they said. */
  among(leases: Observation): readonly string[] {
    const isStill = ([shardId, row]: readonly [string, string]) => {
      const seen = leases.get(shardId);
      return seen !== undefined && content(seen.lease) === row;
    };
    return [...this.#rows].filter(isStill).map(([shardId]) => shardId);
  }
}

function content({ checkpoint, hashKeyRange }: Lease): string {
  return JSON.stringify([checkpoint, hashKeyRange]);
}
