// A lease table in memory with DynamoDB's ways: writes under a condition on the counter, reads that are consistent,
// scans that come in pages and may show rows as they were a moment ago.

import { actualOwner, hasEnded, type Lease } from "../../src/leases/lease.ts";
import {
  type LeaseTable,
  LeaseTableError,
  type Scan,
  type WriteResult,
} from "../../src/leases/table.ts";
import type { Process } from "./process.ts";
import type { Schedule } from "./schedule.ts";
import { Meter } from "./units.ts";
import type { Weather } from "./weather.ts";

export type Operation =
  | "ensure"
  | "scan"
  | "read"
  | "create"
  | "take"
  | "renew"
  | "checkpoint"
  | "release"
  | "handOver"
  | "request"
  | "withdraw"
  | "note"
  | "delete";

interface Row {
  lease: Lease;
  previous: Lease | undefined;
  changedMs: number;
}

export interface Write {
  readonly operation: Operation;
  readonly by: Process;
  readonly before: Lease | undefined;
  readonly after: Lease | undefined;
}

/** DynamoDB's eventual consistency is mostly over within a second. */
const STALE_MS = 1_000;

export class SimTable {
  readonly rows = new Map<string, Row>();
  readonly requests = new Map<Operation, number>();
  readonly meter = new Meter();
  /** Writes whose condition did not hold. */
  readonly refused = new Map<Operation, number>();
  #exists = false;
  readonly #schedule: Schedule;
  readonly #weather: Weather;
  readonly #rowsPerPage: number;
  readonly #written: (write: Write) => void;

  constructor(
    schedule: Schedule,
    weather: Weather,
    rowsPerPage: number,
    written: (write: Write) => void,
  ) {
    this.#schedule = schedule;
    this.#weather = weather;
    this.#rowsPerPage = rowsPerPage;
    this.#written = written;
  }

  /** The table as one process sees it. */
  for(process: Process): LeaseTable {
    const conditional = (
      operation: Operation,
      shardId: string,
      holds: (row: Lease) => boolean,
      change: (lease: Lease) => Lease | undefined,
      signal: AbortSignal,
    ): Promise<WriteResult> =>
      this.#call(process, operation, signal, () => {
        const before = this.rows.get(shardId)?.lease;
        this.meter.wrote(before);
        if (!before || !holds(before)) {
          this.#refuse(operation);
          return "conflict";
        }
        this.#put(shardId, { operation, by: process, before, after: change(before) });
        return "written";
      });
    const next = (lease: Lease) => ({ ...lease, counter: lease.counter + 1 });
    const always = () => true;
    const sameCounter = (lease: Lease) => (row: Lease) => row.counter === lease.counter;
    /** The condition of whoever holds the lease: he must know of a request. */
    const asKnown = (lease: Lease) => (row: Lease) =>
      row.counter === lease.counter && row.handoverTo === lease.handoverTo;

    const answered = (row: Lease): Lease =>
      row.handoverTo === undefined || row.owner === undefined
        ? row
        : { ...row, handoverFrom: row.owner };

    return {
      tableName: "simulated",
      ensure: (signal) =>
        this.#call(process, "ensure", signal, () => {
          const existed = this.#exists;
          this.#exists = true;
          return existed ? "existed" : "created";
        }),
      scan: (signal) => this.#scan(process, signal),
      read: (shardId, signal) =>
        this.#call(process, "read", signal, () => {
          const lease = this.rows.get(shardId)?.lease;
          this.meter.read(lease);
          return lease;
        }),
      create: (lease, signal) =>
        this.#call(process, "create", signal, () => {
          const there = this.rows.get(lease.shardId)?.lease;
          this.meter.wrote(there);
          if (there) {
            this.#refuse("create");
            return "exists";
          }
          const after = {
            ...lease,
            counter: 0,
            ownerSwitchesSinceCheckpoint: 0,
            childShardIds: [],
          };
          this.#put(lease.shardId, { operation: "create", by: process, before: undefined, after });
          return "created";
        }),
      putBack: (lease) => Promise.reject(new Error(`the row of ${lease.shardId} is gone`)),
      take: (lease, owner, signal) =>
        conditional(
          "take",
          lease.shardId,
          sameCounter(lease),
          ({ checkpointOwner: _, handoverTo: __, handoverFrom: ___, ...row }) => ({
            ...next(row),
            owner,
            ownerSwitchesSinceCheckpoint:
              row.ownerSwitchesSinceCheckpoint + Number((actualOwner(row) ?? owner) !== owner),
          }),
          signal,
        ),
      renew: (lease, signal) =>
        conditional("renew", lease.shardId, asKnown(lease), (row) => answered(next(row)), signal),
      checkpoint: (lease, checkpoint, signal) =>
        conditional(
          "checkpoint",
          lease.shardId,
          asKnown(lease),
          (row) => ({ ...answered(next(row)), checkpoint, ownerSwitchesSinceCheckpoint: 0 }),
          signal,
        ),
      release: (lease, signal) =>
        conditional(
          "release",
          lease.shardId,
          asKnown(lease),
          ({ owner: _, handoverTo: __, handoverFrom: ___, ...row }) => next(row),
          signal,
        ),
      handOver: (lease, signal) =>
        conditional(
          "handOver",
          lease.shardId,
          asKnown(lease),
          ({ handoverTo, handoverFrom: _, ...row }) => ({
            ...next(row),
            ...(handoverTo !== undefined && { owner: handoverTo }),
            ownerSwitchesSinceCheckpoint: row.ownerSwitchesSinceCheckpoint + 1,
          }),
          signal,
        ),
      requestHandover: (lease, workerId, signal) =>
        conditional(
          "request",
          lease.shardId,
          (row) => asKnown(lease)(row) && row.owner === lease.owner,
          ({ handoverFrom: _, ...row }) => ({ ...row, handoverTo: workerId }),
          signal,
        ),
      withdrawRequest: (shardId, workerId, signal) =>
        conditional(
          "withdraw",
          shardId,
          (row) => row.handoverTo === workerId,
          ({ handoverTo: _, handoverFrom: __, ...row }) => row,
          signal,
        ),
      noteChildren: (shardId, childShardIds, signal) =>
        conditional("note", shardId, always, (row) => ({ ...row, childShardIds }), signal),
      noteHashKeyRange: (shardId, hashKeyRange, signal) =>
        conditional("note", shardId, always, (row) => ({ ...row, hashKeyRange }), signal),
      delete: (lease, signal) =>
        this.#call(process, "delete", signal, () => {
          const before = this.rows.get(lease.shardId)?.lease;
          this.meter.wrote(before);
          if (!before || !hasEnded(before)) return "conflict";
          this.#put(lease.shardId, { operation: "delete", by: process, before, after: undefined });
          return "written";
        }),
    };
  }

  #refuse(operation: Operation): void {
    this.refused.set(operation, (this.refused.get(operation) ?? 0) + 1);
  }

  #put(shardId: string, write: Write): void {
    this.#written(write);
    const { before, after } = write;
    if (after)
      this.rows.set(shardId, { lease: after, previous: before, changedMs: this.#schedule.nowMs });
    else this.rows.delete(shardId);
  }

  async #scan(process: Process, signal: AbortSignal): Promise<Scan> {
    const leases: Lease[] = [];
    const ids: string[] = [];
    for (let page = 0, more = true; more; page++) {
      const read = await this.#call(process, "scan", signal, () => {
        // A scan goes by key hash: rows that come meanwhile are found or not.
        if (page === 0) ids.push(...this.rows.keys());
        const rows = ids
          .slice(page * this.#rowsPerPage, (page + 1) * this.#rowsPerPage)
          .flatMap((id) => this.#seen(id) ?? []);
        this.meter.scanned(rows);
        return rows;
      });
      leases.push(...read);
      more = (page + 1) * this.#rowsPerPage < ids.length;
    }
    return { leases, unreadable: [], fleet: [] };
  }

  #seen(shardId: string): Lease | undefined {
    const row = this.rows.get(shardId);
    if (!row) return undefined;
    const recent = this.#schedule.nowMs - row.changedMs < STALE_MS;
    return recent && this.#weather.stale ? row.previous : row.lease;
  }

  #call<T>(
    process: Process,
    operation: Operation,
    signal: AbortSignal,
    apply: () => T,
  ): Promise<T> {
    this.requests.set(operation, (this.requests.get(operation) ?? 0) + 1);
    return new Promise((resolve, reject) => {
      const fail = (trouble: "throttled" | "unavailable" | string) => {
        signal.removeEventListener("abort", abort);
        answer.run = undefined;
        reject(
          new LeaseTableError(
            trouble === "throttled" ? "throttled" : "unavailable",
            `${operation}: ${trouble}`,
          ),
        );
      };
      const abort = () => fail("aborted");
      const { appliesInMs, answeredInMs, trouble } = this.#weather.fate();
      let result: { readonly value: T } | undefined;
      if (appliesInMs !== undefined) {
        this.#schedule.in(appliesInMs, () => {
          result = { value: apply() };
        });
      }
      const answer = process.after(answeredInMs, () => {
        if (trouble !== undefined || !result) return fail(trouble ?? "unavailable");
        signal.removeEventListener("abort", abort);
        resolve(result.value);
      });
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }
}
