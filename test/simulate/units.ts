// What requests cost in DynamoDB's units: a write 1 for each KiB of the larger of the row before and after, a read 1 for each
// 4 KiB if it is consistent and half of that if not, none less than for one step. A refused write costs as much.

import { newItem } from "../../src/leases/dynamoItem.ts";
import type { Lease } from "../../src/leases/lease.ts";

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

/** Sizes of rows change little while a shard is read: each is reckoned once. */
export class Meter {
  readUnits = 0;
  writeUnits = 0;
  readonly #bytes = new Map<string, number>();

  /** One page, of rows that may be a moment old. */
  scanned(leases: readonly Lease[]): void {
    this.readUnits += scanUnits(leases.reduce((sum, lease) => sum + this.#bytesOf(lease), 0));
  }

  /** One row as it is now. */
  read(lease: Lease | undefined): void {
    this.readUnits += 2 * scanUnits(lease ? this.#bytesOf(lease) : 0);
  }

  /** Also when the condition did not hold. */
  wrote(lease: Lease | undefined): void {
    this.writeUnits += writeUnits(lease ? this.#bytesOf(lease) : 0);
  }

  #bytesOf(lease: Lease): number {
    const known = this.#bytes.get(lease.shardId) ?? rowBytes(lease);
    this.#bytes.set(lease.shardId, known);
    return known;
  }
}
