// The cost of requests in DynamoDB's units. A write costs 1 for each KiB of the larger of the row
// before and after. A consistent read costs 1 for each 4 KiB, any other read half of that. Sizes
// are rounded up to a full step. A refused write costs the same.

import type { Lease } from "../../src/leases/lease.ts";
import { newItem } from "../../src/leases/table/dynamoItem.ts";

/** A worker id is a UUID; a sequence number has 56 digits. */
const OWNER_BYTES = "leaseOwner".length + 36;
const SEQUENCE_NUMBER_BYTES = 56;
/** A number takes one byte for two digits, plus one. */
const NUMBER_BYTES = 4;

/** The size of a lease's row once the shard is being read. */
export function rowBytes(lease: Lease): number {
  let bytes = OWNER_BYTES;
  for (const [name, value] of Object.entries(newItem(lease))) {
    bytes += name.length;
    if (name === "checkpoint") bytes += SEQUENCE_NUMBER_BYTES;
    else if (value.N !== undefined) bytes += NUMBER_BYTES;
    else bytes += [value.S ?? "", ...(value.SS ?? [])].join("").length;
  }
  return bytes;
}

export function scanUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 4_096)) / 2;
}

function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1_024));
}

/** The load on the table in one second. */
export interface Load {
  read: number;
  written: number;
  /** Units written, for each partition. */
  readonly partitions: number[];
}

/**
 * The number of partitions of a new on-demand table. The hash of the key selects the row's
 * partition.
 */
export const PARTITIONS = 4;

/** The sizes of rows hardly change while a shard is read, so each is computed once. */
export class Meter {
  readUnits = 0;
  writeUnits = 0;
  /** Per second of true time. */
  readonly loads = new Map<number, Load>();
  readonly #nowMs: () => number;
  readonly #bytes = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** One page of rows, by eventually consistent reads. */
  scanned(bytes: number): void {
    this.#read(scanUnits(bytes));
  }

  /** One row, by a consistent read. */
  read(lease: Lease | undefined): void {
    this.#read(2 * scanUnits(lease ? this.bytesOf(lease) : 0));
  }

  /** Also if the condition failed. */
  wrote(shardId: string, lease: Lease | undefined): void {
    const units = writeUnits(lease ? this.bytesOf(lease) : 0);
    this.writeUnits += units;
    const load = this.#load();
    load.written += units;
    const partition = hash(shardId) % PARTITIONS;
    load.partitions[partition] = (load.partitions[partition] ?? 0) + units;
  }

  bytesOf(lease: Lease): number {
    const known = this.#bytes.get(lease.shardId);
    if (known !== undefined) return known;
    const bytes = rowBytes(lease);
    this.#bytes.set(lease.shardId, bytes);
    return bytes;
  }

  #read(units: number): void {
    this.readUnits += units;
    this.#load().read += units;
  }

  #load(): Load {
    const second = Math.floor(this.#nowMs() / 1_000);
    const load = this.loads.get(second) ?? { read: 0, written: 0, partitions: [] };
    this.loads.set(second, load);
    return load;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  return (state ^ (state >>> 13)) >>> 0;
}
