// What requests cost in DynamoDB's units: a write 1 for each KiB of the larger of the row before and after, a read 1 for each
// 4 KiB if it is consistent and half of that if not, none less than for one step. A refused write costs as much.

import type { Lease } from "../../src/leases/lease.ts";
import { newItem } from "../../src/leases/table/dynamoItem.ts";

/** A worker id is a UUID, a sequence number has 56 digits. */
const OWNER_BYTES = "leaseOwner".length + 36;
const SEQUENCE_NUMBER_BYTES = 56;
/** A number takes a byte for two digits, and one more. */
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

/** What was asked of the table in one second. */
export interface Load {
  read: number;
  written: number;
  /** Units written, a partition each. */
  readonly partitions: number[];
}

/** A new table made on demand has as many; rows go by the hash of their key. */
export const PARTITIONS = 4;

/** Sizes of rows change little while a shard is read: each is reckoned once. */
export class Meter {
  readUnits = 0;
  writeUnits = 0;
  /** By the second, of true time. */
  readonly loads = new Map<number, Load>();
  readonly #nowMs: () => number;
  readonly #bytes = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** One page, of rows that may be a moment old. */
  scanned(bytes: number): void {
    this.#read(scanUnits(bytes));
  }

  /** One row as it is now. */
  read(lease: Lease | undefined): void {
    this.#read(2 * scanUnits(lease ? this.bytesOf(lease) : 0));
  }

  /** Also when the condition did not hold. */
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
