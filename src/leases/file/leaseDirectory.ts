// The lease table in a local directory, for one daemon at a time: no other process needs to be
// asked, so the rows are in memory and every write is a line of the lease file.
//
// Writes that come while another one is being synced share the next sync. A write is decided on the
// rows as the writes before it leave them, and is visible to reads when it survives a power
// failure. If the disk is full, a write fails as "unavailable" and the caller repeats it; renewals
// never touch the disk, so no lease is lost meanwhile.

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Clock } from "../../clock.ts";
import { UserError } from "../../model/errors.ts";
import type { KeyMode } from "../leaseKey.ts";
import { ATTRIBUTES as A, type Item } from "../table/dynamoItem.ts";
import { leaseTable } from "../table/leaseTable.ts";
import type { Change, Conditions, RowStore } from "../table/rowStore.ts";
import { type LeaseTable, LeaseTableError, type WriteResult } from "../table.ts";
import { changedRow, holds } from "./changedRow.ts";
import { DirectoryLock } from "./directoryLock.ts";
import { Heartbeats, withHeartbeats } from "./heartbeats.ts";
import { DamagedJournal, type Rows, type Snapshot } from "./journal.ts";
import { LeaseFile, readLeaseFile } from "./leaseFile.ts";

const OWNER_ONLY = 0o700;
/** Of an earlier process. Nobody else can have the directory, so none of them is alive. */
const HOLDERS: readonly string[] = [A.owner, A.checkpointOwner, A.handoverTo, A.handoverFrom];

/** One row, decided on and not yet durable. */
interface Write {
  readonly key: string;
  /** The row after the write; `"conflict"`: nothing is written. */
  readonly decide: (row: Item | undefined) => Item | undefined | "conflict";
  readonly isHeartbeat: boolean;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

export class LeaseDirectory implements RowStore {
  readonly name: string;
  readonly #table: string;
  readonly #path: string;
  readonly #file: LeaseFile;
  readonly #heartbeats: Heartbeats;
  #lock: DirectoryLock | undefined;
  /** The rows as they are on disk, and the counters of the renewals since; absent until opened. */
  #rows: Map<string, Item> | undefined;
  #waiting: Write[] = [];
  #working: Promise<void> | undefined;

  /** @param table names the application whose leases the directory holds. */
  constructor(directory: string, table: string, clock: Clock) {
    this.name = resolve(directory);
    this.#table = table;
    this.#path = join(this.name, "leases.ndjson");
    this.#file = new LeaseFile(this.#path, table);
    this.#heartbeats = new Heartbeats(
      join(this.name, "heartbeats.json"),
      clock,
      () => this.#rows ?? new Map(),
    );
  }

  asTable(mode: KeyMode = "singleStream"): LeaseTable {
    return leaseTable(this, mode, (signal, beforeCreate) => this.open(signal, beforeCreate));
  }

  /**
   * Makes the directory ours until `close`. Leases that an earlier process held are free.
   *
   * @throws UserError when another process has it, or when it is no directory of this application.
   */
  async open(
    signal: AbortSignal,
    beforeCreate?: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<"created" | "existed"> {
    if (this.#rows) return "existed";
    const before = await this.readSnapshot();
    if (!before) await beforeCreate?.(signal);
    return this.#attempt("open", async () => {
      await mkdir(this.name, { recursive: true, mode: OWNER_ONLY });
      this.#lock ??= await DirectoryLock.claim(this.name);
      if (!this.#lock) throw await this.#inUse();
      const found = await this.readSnapshot();
      const rows = withoutHolders(found?.rows ?? new Map());
      await this.#file.replace(rows);
      this.#rows = rows;
      return found ? "existed" : "created";
    });
  }

  /** What is on disk; `undefined` when there are no leases yet. */
  async readSnapshot(): Promise<Snapshot | undefined> {
    const found = await this.#attempt("read", () => readLeaseFile(this.#path));
    if (!found || found.table === this.#table) return found;
    throw new UserError(
      `The directory ${this.name} holds the leases of ${found.table}, not of ${this.#table}. Set leaseStore to a directory of its own for each application.`,
    );
  }

  /** Whether a living process has the directory. */
  isHeld(): Promise<boolean> {
    return DirectoryLock.isHeld(this.name);
  }

  async close(): Promise<void> {
    await this.#working;
    await this.#heartbeats.close();
    await this.#file.close();
    await this.#lock?.release();
    this.#lock = undefined;
    this.#rows = undefined;
  }

  async scan(): Promise<readonly Item[]> {
    return [...(await this.#current()).values()];
  }

  async get(key: string): Promise<Item | undefined> {
    return (await this.#current()).get(key);
  }

  async insert(row: Item, signal: AbortSignal): Promise<"created" | "exists"> {
    const result = await this.#write(
      row[A.key]?.S ?? "",
      (found) => (found ? "conflict" : row),
      signal,
    );
    return result === "written" ? "created" : "exists";
  }

  update(key: string, change: Change, signal: AbortSignal): Promise<WriteResult> {
    const decide = (row: Item | undefined) =>
      holds(change.when, row) ? changedRow(row ?? { [A.key]: { S: key } }, change) : "conflict";
    return this.#write(key, decide, signal, change.isHeartbeat);
  }

  replace(row: Item, when: Conditions, signal: AbortSignal): Promise<WriteResult> {
    const decide = (found: Item | undefined) => (holds(when, found) ? row : "conflict");
    return this.#write(row[A.key]?.S ?? "", decide, signal);
  }

  delete(key: string, when: Conditions, signal: AbortSignal): Promise<WriteResult> {
    return this.#write(key, (row) => (holds(when, row) ? undefined : "conflict"), signal);
  }

  /** The rows in memory, or those of the process that has the directory. */
  async #current(): Promise<Rows> {
    if (this.#rows) return this.#rows;
    const found = await this.readSnapshot();
    if (!found) {
      throw new UserError(
        `The directory ${this.name} holds no leases. Check leaseStore. The first daemon creates them.`,
      );
    }
    const isHeld = await this.#attempt("read", () => this.isHeld());
    return isHeld
      ? withHeartbeats(found.rows, join(this.name, "heartbeats.json"))
      : withoutHolders(found.rows);
  }

  async #write(
    key: string,
    decide: Write["decide"],
    signal: AbortSignal,
    isHeartbeat = false,
  ): Promise<WriteResult> {
    if (!this.#rows) await this.open(signal);
    return new Promise((resolve, reject) => {
      const late = () => reject(this.#unavailable("write", signal.reason));
      signal.addEventListener("abort", late, { once: true });
      const done = () => signal.removeEventListener("abort", late);
      this.#waiting.push({
        key,
        decide,
        isHeartbeat,
        resolve: (result) => {
          done();
          resolve(result);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const writes = this.#waiting;
      this.#waiting = [];
      await this.#carryOut(writes, this.#rows ?? new Map());
    }
    this.#working = undefined;
  }

  /** Carries out writes in their order, with one sync for all. */
  async #carryOut(writes: readonly Write[], rows: Map<string, Item>): Promise<void> {
    const batch = new Map<string, Item | undefined>();
    let needsSync = false;
    const results = writes.map((write): WriteResult => {
      const row = batch.has(write.key) ? batch.get(write.key) : rows.get(write.key);
      const decided = write.decide(row);
      if (decided === "conflict") return "conflict";
      batch.set(write.key, decided);
      needsSync ||= !write.isHeartbeat;
      return "written";
    });
    try {
      if (needsSync) {
        const after = () => applied(batch, new Map(rows));
        await this.#attempt("write", () => this.#file.write(batch, after));
      }
    } catch (error) {
      for (const write of writes) write.reject(error);
      return;
    }
    applied(batch, rows);
    this.#heartbeats.beat();
    for (const [index, write] of writes.entries()) write.resolve(results[index] ?? "conflict");
  }

  async #attempt<T>(operation: "open" | "read" | "write", work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (error instanceof DamagedJournal) throw this.#damaged(error);
      const mayPass = operation === "write" || PASSING.includes(codeOf(error));
      throw mayPass ? this.#unavailable(operation, error) : this.#unusable(error);
    }
  }

  #unavailable(operation: string, cause: unknown): LeaseTableError {
    const text = cause instanceof Error ? cause.message : String(cause);
    const remedy = FULL.includes(codeOf(cause)) ? ". The disk is full: free some space" : "";
    const message = `Cannot ${operation} ${this.#path} (${text})${remedy}`;
    return new LeaseTableError("unavailable", message, { cause });
  }

  #unusable(cause: unknown): UserError {
    const text = cause instanceof Error ? cause.message : String(cause);
    return new UserError(
      `The lease directory ${this.name} cannot be used (${text}). It must be a directory on a local file system that this user can write to; the daemon creates it if the parent directory is writable.`,
      { cause },
    );
  }

  #damaged(cause: DamagedJournal): UserError {
    return new UserError(
      `The lease file ${this.#path} cannot be read: ${cause.message}. A crash of the daemon or the machine does not do this. Restore the file from a backup. Or move it away: the daemon then starts reading at initialPositionInStream.`,
      { cause },
    );
  }

  async #inUse(): Promise<UserError> {
    const pid = await readLeaseFile(this.#path).then(
      (found) => (found ? ` (the last process that opened it has the id ${found.pid})` : ""),
      () => "",
    );
    return new UserError(
      `The lease directory ${this.name} is in use${pid}. One daemon at a time can use a directory. Stop the other one, or set leaseStore to another directory; to share a stream among daemons, use DynamoDB (remove leaseStore).`,
    );
  }
}

const FULL: readonly unknown[] = ["ENOSPC", "EDQUOT"];
/** Failures that may pass without a change of the configuration; the caller tries again. */
const PASSING: readonly unknown[] = [...FULL, "EIO", "EMFILE", "ENFILE", "EINTR"];

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function withoutHolders(rows: Rows): Map<string, Item> {
  const free = [...rows].map(([key, row]): [string, Item] => {
    const kept = Object.entries(row).filter(([name]) => !HOLDERS.includes(name));
    return [key, Object.fromEntries(kept)];
  });
  return new Map(free);
}

function applied(batch: ReadonlyMap<string, Item | undefined>, rows: Map<string, Item>): Rows {
  for (const [key, row] of batch) {
    if (row) rows.set(key, row);
    else rows.delete(key);
  }
  return rows;
}
