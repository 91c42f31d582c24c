// A lease table in memory that behaves like DynamoDB: writes with a condition on the counter,
// consistent reads, and scans in pages that may show rows as they were a moment before.

import type { Lease, NewLease } from "../../src/leases/lease.ts";
import {
  type LeaseTable,
  LeaseTableError,
  type Scan,
  type TableFailure,
  type WriteResult,
} from "../../src/leases/table.ts";
import type { Process } from "./process.ts";
import { type RowWrite, writes } from "./rowWrites.ts";
import type { Event, Schedule } from "./schedule.ts";
import { Meter } from "./units.ts";
import type { Weather } from "./weather.ts";

export type Operation = RowWrite["operation"] | "ensure" | "scan" | "read" | "create";

export type Answer<T> = { readonly value: T } | { readonly trouble: TableFailure };

interface Row {
  lease: Lease;
  previous: Lease | undefined;
  changedMs: number;
  readonly bytes: number;
  gone: boolean;
}

export interface Write {
  readonly operation: Operation;
  readonly by: Process;
  readonly before: Lease | undefined;
  readonly after: Lease | undefined;
}

/** DynamoDB's eventual consistency usually takes less than a second. */
const STALE_MS = 1_000;

export class SimTable {
  readonly rows = new Map<string, Row>();
  readonly requests = new Map<Operation, number>();
  readonly meter: Meter;
  /** Writes whose condition failed. */
  readonly refused = new Map<Operation, number>();
  #exists = false;
  /** The rows in the order of scans, until a row is added or deleted. */
  #inOrder: readonly Row[] | undefined;
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
    this.meter = new Meter(() => schedule.nowMs);
    this.#weather = weather;
    this.#rowsPerPage = rowsPerPage;
    this.#written = written;
  }

  /** The table as one process sees it. */
  for(process: Process): LeaseTable {
    const written = (shardId: string, write: RowWrite, signal: AbortSignal) =>
      this.#call<WriteResult>(
        process,
        write.operation,
        () => this.write(process, shardId, write),
        signal,
      );
    return {
      tableName: "simulated",
      ensure: (signal) =>
        this.#call(
          process,
          "ensure",
          () => {
            const existed = this.#exists;
            this.#exists = true;
            return existed ? "existed" : "created";
          },
          signal,
        ),
      scan: (signal) => this.#scan(process, signal),
      read: (shardId, signal) => this.#call(process, "read", () => this.read(shardId), signal),
      create: (lease, signal) =>
        this.#call(process, "create", () => this.create(process, lease), signal),
      putBack: (lease) => Promise.reject(new Error(`the row of ${lease.shardId} is gone`)),
      take: (lease, owner, signal) => written(lease.shardId, writes.take(lease, owner), signal),
      renew: (lease, signal) => written(lease.shardId, writes.renew(lease), signal),
      checkpoint: (lease, position, signal) =>
        written(lease.shardId, writes.checkpoint(lease, position), signal),
      release: (lease, signal) => written(lease.shardId, writes.release(lease), signal),
      handOver: (lease, signal) => written(lease.shardId, writes.handOver(lease), signal),
      requestHandover: (lease, workerId, signal) =>
        written(lease.shardId, writes.request(lease, workerId), signal),
      withdrawRequest: (shardId, workerId, signal) =>
        written(shardId, writes.withdraw(workerId), signal),
      noteChildren: (shardId, childShardIds, signal) =>
        written(shardId, writes.note({ childShardIds }), signal),
      noteHashKeyRange: (shardId, hashKeyRange, signal) =>
        written(shardId, writes.note({ hashKeyRange }), signal),
      delete: (lease, signal) => written(lease.shardId, writes.delete(), signal),
    };
  }

  /** A row that exists before any worker joins. */
  fill(lease: Lease): void {
    this.#add(lease, 0);
  }

  read(shardId: string): Lease | undefined {
    const lease = this.rows.get(shardId)?.lease;
    this.meter.read(lease);
    return lease;
  }

  create(by: Process, lease: NewLease): "created" | "exists" {
    const { shardId } = lease;
    const there = this.rows.get(shardId)?.lease;
    this.meter.wrote(shardId, there);
    if (there) {
      this.#refuse("create");
      return "exists";
    }
    const after = { ...lease, counter: 0, ownerSwitchesSinceCheckpoint: 0, childShardIds: [] };
    this.#put(shardId, { operation: "create", by, before: undefined, after });
    return "created";
  }

  write(by: Process, shardId: string, { operation, holds, change }: RowWrite): WriteResult {
    const before = this.rows.get(shardId)?.lease;
    this.meter.wrote(shardId, before);
    if (!before || !holds(before)) {
      this.#refuse(operation);
      return "conflict";
    }
    this.#put(shardId, { operation, by, before, after: change(before) });
    return "written";
  }

  #refuse(operation: Operation): void {
    this.refused.set(operation, (this.refused.get(operation) ?? 0) + 1);
  }

  #put(shardId: string, write: Write): void {
    this.#written(write);
    const { before, after } = write;
    const row = this.rows.get(shardId);
    const { nowMs } = this.#schedule;
    if (after && row) {
      row.lease = inShape(after);
      row.previous = before;
      row.changedMs = nowMs;
    } else if (after) this.#add(after, nowMs);
    else if (row) {
      row.gone = true;
      this.rows.delete(shardId);
      this.#inOrder = undefined;
    }
  }

  #add(lease: Lease, changedMs: number): void {
    const bytes = this.meter.bytesOf(lease);
    const row = { lease: inShape(lease), previous: undefined, changedMs, bytes, gone: false };
    this.rows.set(lease.shardId, row);
    this.#inOrder = undefined;
  }

  async #scan(process: Process, signal: AbortSignal): Promise<Scan> {
    const leases: Lease[] = [];
    const pages = this.pages();
    for (let page = pages.next(); !page.done; page = pages.next()) {
      const { value: read } = page;
      leases.push(...(await this.#call(process, "scan", read, signal)));
    }
    return { leases, unreadable: [], fleet: [] };
  }

  /**
   * The requests of a scan. Each page is read when the previous one has arrived, and read again if
   * it fails. Pages follow the hash of the key, so rows that are added meanwhile may be missed.
   */
  *pages(): Generator<() => readonly Lease[]> {
    let rows: readonly Row[] = [];
    let at = 0;
    do {
      const from = at;
      yield () => {
        if (from === 0) {
          this.#inOrder ??= [...this.rows.values()];
          rows = this.#inOrder;
        }
        const leases: Lease[] = [];
        let bytes = 0;
        for (const row of rows.slice(from, from + this.#rowsPerPage)) {
          const lease = row.gone ? undefined : this.#seen(row);
          if (!lease) continue;
          leases.push(lease);
          bytes += row.bytes;
        }
        this.meter.scanned(bytes);
        return leases;
      };
      at += this.#rowsPerPage;
    } while (at < rows.length);
  }

  #seen(row: Row): Lease | undefined {
    const recent = this.#schedule.nowMs - row.changedMs < STALE_MS;
    return recent && this.#weather.stale ? row.previous : row.lease;
  }

  /**
   * One request: takes effect when the weather permits, and calls back in its process.
   *
   * @param limitMs how long the worker waits for a response.
   * @returns the event of the response, which can be cancelled.
   */
  request<T>(
    process: Process,
    operation: Operation,
    apply: () => T,
    answered: (answer: Answer<T>) => void,
    limitMs = Number.POSITIVE_INFINITY,
  ): Event {
    this.requests.set(operation, (this.requests.get(operation) ?? 0) + 1);
    const { appliesInMs, answeredInMs, trouble } = this.#weather.fate();
    let result: { readonly value: T } | undefined;
    if (appliesInMs !== undefined) {
      this.#schedule.in(appliesInMs, () => {
        result = { value: apply() };
      });
    }
    return process.after(Math.min(answeredInMs, limitMs), () => {
      const failed = answeredInMs > limitMs ? "unavailable" : trouble;
      answered(failed === undefined && result ? result : { trouble: failed ?? "unavailable" });
    });
  }

  #call<T>(
    process: Process,
    operation: Operation,
    apply: () => T,
    signal: AbortSignal,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (trouble: TableFailure, what: string = trouble) => {
        signal.removeEventListener("abort", abort);
        answer.run = undefined;
        reject(new LeaseTableError(trouble, `${operation}: ${what}`));
      };
      const abort = () => fail("unavailable", "aborted");
      const answer = this.request(process, operation, apply, (result) => {
        if ("trouble" in result) return fail(result.trouble);
        signal.removeEventListener("abort", abort);
        resolve(result.value);
      });
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }
}

/**
 * The same shape as parseItem's result. V8 gives an object that is spread from several sources its
 * own shape, and reads it thirty times slower.
 */
function inShape(lease: Lease): Lease {
  const { owner, checkpointOwner, handoverTo, handoverFrom, hashKeyRange } = lease;
  return {
    shardId: lease.shardId,
    counter: lease.counter,
    checkpoint: lease.checkpoint,
    ownerSwitchesSinceCheckpoint: lease.ownerSwitchesSinceCheckpoint,
    parentShardIds: lease.parentShardIds,
    childShardIds: lease.childShardIds,
    ...(hashKeyRange && { hashKeyRange }),
    ...(owner !== undefined && { owner }),
    ...(checkpointOwner !== undefined && { checkpointOwner }),
    ...(handoverTo !== undefined && { handoverTo }),
    ...(handoverFrom !== undefined && { handoverFrom }),
  };
}
