// The first leases, the audit for holes and the deletion of finished leases, with the decisions
// that src/leases/shardSync.ts and housekeeping.ts use.

import { audit, type SeenHole } from "../../../src/leases/decisions/audit.ts";
import { finishedLeases } from "../../../src/leases/decisions/cleanup.ts";
import {
  filterFor,
  firstLeases,
  missingLeases,
  trackedShards,
} from "../../../src/leases/decisions/sync.ts";
import { isHousekeeper } from "../../../src/leases/housekeeping.ts";
import type { Lease, NewLease } from "../../../src/leases/lease.ts";
import { LEASE_DEFAULTS } from "../../../src/leases/settings.ts";
import { writes } from "../rowWrites.ts";
import type { Service, Wish } from "./service.ts";

/** As in src/leases/shardSync.ts. */
const CREATE_CONCURRENCY = 16;

export class Housekeeping {
  readonly #service: Service;
  readonly #wish: Wish;
  readonly #leases: () => readonly Lease[];
  #seenHole: SeenHole | undefined;

  constructor(service: Service, wish: Wish, leases: () => readonly Lease[]) {
    this.#service = service;
    this.#wish = wish;
    this.#leases = leases;
    const intervals = { ...LEASE_DEFAULTS, ...service.settings };
    this.#every(intervals.auditIntervalMs, () => this.#audit(intervals.auditConfidence));
    this.#every(intervals.cleanupIntervalMs, () => this.#cleanUp());
  }

  /** The worker that creates the oldest lease creates the others too. */
  fill(done: () => void): void {
    const { initialPosition } = this.#service.settings;
    this.#service.list(this.#wish.wanted, filterFor(initialPosition), (shards) => {
      const first = firstLeases(shards, initialPosition);
      const [oldest, ...others] = "create" in first ? first.create : [];
      if (!oldest) return done();
      this.#service.until(this.#wish, "create", this.#service.create(oldest), (result) => {
        if (result === "created") this.#createAll(others, done);
        else done();
      });
    });
  }

  #createAll(leases: readonly NewLease[], done: () => void): void {
    const queue = leases.values();
    let atWork = Math.min(CREATE_CONCURRENCY, leases.length);
    const next = (): void => {
      const { value: lease } = queue.next();
      if (lease) this.#service.until(this.#wish, "create", this.#service.create(lease), next);
      else if (--atWork === 0) done();
    };
    if (atWork === 0) done();
    for (let i = atWork; i > 0; i--) next();
  }

  #every(ms: number, round: () => void): void {
    const { process, workerId } = this.#service.parts;
    process.timer(ms, () => {
      if (!this.#wish.wanted()) return;
      if (isHousekeeper(this.#leases(), workerId)) round();
      this.#every(ms, round);
    });
  }

  #audit(confidence: number): void {
    this.#seenHole = audit(this.#seenHole, this.#leases(), []);
    if (!this.#seenHole || this.#seenHole.times < confidence) return;
    this.#seenHole = undefined;
    this.#service.scan(this.#wish, (leases) => {
      if (audit(undefined, leases, [])) this.#fillHoles(leases);
    });
  }

  #fillHoles(leases: readonly Lease[]): void {
    const { initialPosition, ignoreUnexpectedChildShards } = this.#service.settings;
    const tracked = trackedShards(leases);
    this.#service.list(this.#wish.wanted, undefined, (shards) => {
      const missing = missingLeases(shards, tracked, initialPosition, ignoreUnexpectedChildShards);
      for (const lease of missing.create) {
        this.#service.once("create", this.#service.create(lease), () => {});
      }
    });
  }

  #cleanUp(): void {
    for (const { shardId } of finishedLeases(this.#leases())) {
      this.#service.once("delete", this.#service.write(shardId, writes.delete()), () => {});
    }
  }
}
