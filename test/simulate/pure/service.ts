// A worker's requests to the table: retried after failures, as in src/leases.

import type { Lease, NewLease } from "../../../src/leases/lease.ts";
import type { LeaseSettings } from "../../../src/leases/settings.ts";
import type { WriteResult } from "../../../src/leases/table.ts";
import type { Shard, ShardFilter } from "../../../src/model/shard.ts";
import { backoffMs } from "../../../src/retry.ts";
import type { CrewParts } from "../crew.ts";
import type { Process } from "../process.ts";
import type { RowWrite } from "../rowWrites.ts";
import type { Operation } from "../table.ts";

export interface ServiceParts extends CrewParts {
  readonly workerId: string;
  readonly process: Process;
  readonly count: (what: string, about: string) => void;
  readonly ended: () => void;
}

/** How long to retry. */
export interface Wish {
  readonly wanted: () => boolean;
  readonly gaveUp?: () => void;
  /** The longest wait between two attempts. */
  readonly capMs?: number;
}

const BASE_MS = 100;
const CAP_MS = 5_000;

export class Service {
  readonly parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.parts = parts;
  }

  get settings(): LeaseSettings {
    return this.parts.scenario.settings;
  }

  /** Retries until the request succeeds or is no longer wanted. */
  until<T>(wish: Wish, operation: Operation, apply: () => T, done: (value: T) => void): void {
    this.#attempt(wish, operation, apply, done, 0);
  }

  #attempt<T>(
    wish: Wish,
    operation: Operation,
    apply: () => T,
    done: (value: T) => void,
    failures: number,
  ): void {
    const { table, process } = this.parts;
    if (!wish.wanted()) {
      wish.gaveUp?.();
      return;
    }
    table.request(process, operation, apply, (answer) => {
      if ("value" in answer) return done(answer.value);
      const capMs = wish.capMs ?? CAP_MS;
      const waitMs = backoffMs(failures, { baseMs: BASE_MS, capMs }, process.random.next);
      process.timer(waitMs, () => this.#attempt(wish, operation, apply, done, failures + 1));
    });
  }

  /** Tries once; `undefined` if it failed. */
  once<T>(operation: Operation, apply: () => T, done: (value: T | undefined) => void): void {
    const { table, process } = this.parts;
    table.request(process, operation, apply, (answer) =>
      done("value" in answer ? answer.value : undefined),
    );
  }

  read(shardId: string): () => Lease | undefined {
    return () => this.parts.table.read(shardId);
  }

  write(shardId: string, write: RowWrite): () => WriteResult {
    const { table, process } = this.parts;
    return () => table.write(process, shardId, write);
  }

  create(lease: NewLease): () => "created" | "exists" {
    const { table, process } = this.parts;
    return () => table.create(process, lease);
  }

  scan(wish: Wish, done: (leases: readonly Lease[]) => void): void {
    const pages = this.parts.table.pages();
    const leases: Lease[] = [];
    const turn = (): void => {
      const page = pages.next();
      if (page.done) {
        done(leases);
        return;
      }
      this.until(wish, "scan", page.value, (read) => {
        leases.push(...read);
        turn();
      });
    };
    turn();
  }

  list(wanted: () => boolean, filter: ShardFilter, done: (shards: readonly Shard[]) => void): void {
    const { stream, process, scenario } = this.parts;
    const shards = stream.list(filter);
    process.after(process.random.between(5, 50), () => {
      if (!wanted()) return;
      if (!process.random.chance(scenario.climate.failed)) return done(shards);
      process.timer(process.random.between(1, BASE_MS), () => this.list(wanted, filter, done));
    });
  }
}
