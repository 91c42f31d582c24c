// What a worker remembers of its last scan, in compact form. As objects, ten thousand leases for
// each of a thousand workers would take gigabytes. All workers that saw a lease share its object,
// and most entries need only one more number.

import type { Observation, ObservedLease } from "../../../src/leases/decisions/observation.ts";
import type { Lease } from "../../../src/leases/lease.ts";

export class Memory implements Pick<Observation, "get"> {
  /** In the order of the scan. */
  leases: readonly Lease[] = [];
  #changedMs = new Float64Array(0);
  /**
   * Entries that need more than the time of the lease's last change: leases without owner, or with
   * a request.
   */
  readonly #others = new Map<string, ObservedLease>();
  /** Scans read the table in one order, so the next lookup is usually the next entry. */
  #next = 0;
  /** Created on the first lookup that is not. */
  #places: ReadonlyMap<string, number> | undefined;

  remember(observation: Observation): void {
    const leases: Lease[] = [];
    const changedMs = new Float64Array(observation.size);
    this.#others.clear();
    for (const seen of observation.values()) {
      const { lease, ownerlessSinceMs, requestedSinceMs } = seen;
      changedMs[leases.length] = seen.changedMs;
      leases.push(lease);
      const isPlain = ownerlessSinceMs === undefined && requestedSinceMs === undefined;
      if (!isPlain) this.#others.set(lease.shardId, seen);
    }
    this.leases = leases;
    this.#changedMs = changedMs;
    this.#next = 0;
    this.#places = undefined;
  }

  get(shardId: string): ObservedLease | undefined {
    const place = this.#placeOf(shardId);
    const lease = place === undefined ? undefined : this.leases[place];
    if (place === undefined || !lease) return undefined;
    this.#next = place + 1;
    const other = this.#others.size > 0 ? this.#others.get(shardId) : undefined;
    const changedMs = this.#changedMs[place] ?? 0;
    return other ?? { lease, changedMs, ownerlessSinceMs: undefined, requestedSinceMs: undefined };
  }

  #placeOf(shardId: string): number | undefined {
    if (this.leases[this.#next]?.shardId === shardId) return this.#next;
    this.#places ??= new Map(this.leases.map((lease, place) => [lease.shardId, place]));
    return this.#places.get(shardId);
  }
}
