// Which shard came of which: from the stream's listing, and from the leases where the listing has forgotten.

import { hasEnded, type Lease } from "../leases/lease.ts";
import type { Shard } from "../model/shard.ts";

/** Where a shard stands to a moment of the stream. */
export type Era =
  /** It was open then. */
  | "at"
  /** It came later. */
  | "after"
  /** It was closed by then. */
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
   * Shards without a lease between an unfinished one and one that has a lease. A parent without a lease holds its
   * children up no more than a finished one.
   */
  gaps(leases: readonly Pick<Lease, "shardId" | "checkpoint">[]): readonly string[] {
    const present = new Set(leases.map(({ shardId }) => shardId));
    const unfinished = leases.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId);
    const above = this.ancestors(present);
    return [...this.descendants(unfinished)].filter((id) => above.has(id) && !present.has(id));
  }

  /** Parents before their children, else by id. */
  topDown(shardIds: Iterable<string>): readonly string[] {
    const wanted = new Set(shardIds);
    const sorted = new Set<string>();
    const visit = (id: string, path: ReadonlySet<string>): void => {
      // A row edited by hand can name its own child as parent.
      if (sorted.has(id) || path.has(id)) return;
      for (const parent of this.parents(id)) visit(parent, new Set([...path, id]));
      sorted.add(id);
    };
    for (const id of [...wanted].sort()) visit(id, new Set());
    return [...sorted].filter((id) => wanted.has(id));
  }

  /** @param front the shards that were open at the moment: of each line of descent one. */
  era(shardId: string, front: ReadonlySet<string>): Era {
    if (front.has(shardId)) return "at";
    return [...this.ancestors([shardId])].some((id) => front.has(id)) ? "after" : "before";
  }

  #addChild(parent: string, child: string): void {
    const children = this.#children.get(parent) ?? new Set();
    this.#children.set(parent, children.add(child));
  }
}

/** All that is reached from `starts` by any number of steps, without `starts` (unless they are reached too). */
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
