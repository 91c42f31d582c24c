// Which shards are the parents and children of a shard: from the stream's listing, and from the
// leases for shards that the stream no longer lists.

import { hasEnded, type Lease } from "../leases/lease.ts";
import type { Shard } from "../model/shard.ts";

/** When a shard was open, relative to a moment of the stream. */
export type Era =
  /** It was open at that moment. */
  | "at"
  /** It was opened later. */
  | "after"
  /** It was closed before that moment. */
  | "before";

type Related = Pick<Shard, "shardId" | "parentShardIds">;

export class Lineage {
  readonly #parents = new Map<string, readonly string[]>();
  readonly #children = new Map<string, Set<string>>();

  constructor(shards: readonly Related[], leases: readonly Lease[]) {
    for (const { shardId, parentShardIds } of [...leases, ...shards]) {
      this.#parents.set(shardId, parentShardIds);
    }
    for (const [shardId, parents] of this.#parents) {
      for (const parent of parents) this.#addChild(parent, shardId);
    }
  }

  parents(shardId: string): readonly string[] {
    return this.#parents.get(shardId) ?? [];
  }

  ancestors(shardIds: Iterable<string>): ReadonlySet<string> {
    return reach(shardIds, (id) => this.parents(id));
  }

  descendants(shardIds: Iterable<string>): ReadonlySet<string> {
    return reach(shardIds, (id) => this.#children.get(id) ?? []);
  }

  /**
   * Shards without a lease that lie between an unfinished shard and a descendant with a lease. A
   * descendant waits only for parents that have a lease, so it would not wait for the unfinished
   * shard.
   */
  gaps(leases: readonly Pick<Lease, "shardId" | "checkpoint">[]): readonly string[] {
    const present = new Set(leases.map(({ shardId }) => shardId));
    const unfinished = leases.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId);
    const above = this.ancestors(present);
    return [...this.descendants(unfinished)].filter((id) => above.has(id) && !present.has(id));
  }

  /** Parents before their children, otherwise by id. */
  topDown(shardIds: Iterable<string>): readonly string[] {
    const wanted = new Set(shardIds);
    const sorted = new Set<string>();
    const visit = (id: string, path: ReadonlySet<string>): void => {
      // Without this check, a row that names its own descendant as parent would never end.
      if (sorted.has(id) || path.has(id)) return;
      for (const parent of this.parents(id)) visit(parent, new Set([...path, id]));
      sorted.add(id);
    };
    for (const id of [...wanted].sort()) visit(id, new Set());
    return [...sorted].filter((id) => wanted.has(id));
  }

  /** @param front the shards that were open at the moment: one on each line of descent. */
  era(shardId: string, front: ReadonlySet<string>): Era {
    if (front.has(shardId)) return "at";
    return [...this.ancestors([shardId])].some((id) => front.has(id)) ? "after" : "before";
  }

  #addChild(parent: string, child: string): void {
    const children = this.#children.get(parent) ?? new Set();
    this.#children.set(parent, children.add(child));
  }
}

/**
 * All ids that any number of steps from `starts` leads to. The starts themselves are included only
 * if a step leads to them.
 */
function reach(
  starts: Iterable<string>,
  next: (id: string) => Iterable<string>,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const todo = [...starts];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    for (const other of next(id)) {
      if (reached.has(other)) continue;
      reached.add(other);
      todo.push(other);
    }
  }
  return reached;
}
