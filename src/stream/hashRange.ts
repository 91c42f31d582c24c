// Whether a record's hash key belongs to a shard. The hash key is the MD5 of the partition key, as a number of 128 bits,
// unless the producer gave one.

import { hash } from "node:crypto";
import type { HashKeyRange } from "../model/shard.ts";

const MAX_HASH_KEY = 2n ** 128n - 1n;

export interface HashRange {
  /** True when every partition key belongs here: there is no need to hash any. */
  readonly full: boolean;
  /** @param key UTF-8. */
  holdsPartitionKey(key: Uint8Array): boolean;
  holdsHashKey(hashKey: bigint): boolean;
}

/** @param range absent: every hash key that exists. */
export function hashRange(range: HashKeyRange | undefined): HashRange {
  const first = BigInt(range?.startingHashKey ?? 0);
  const last = BigInt(range?.endingHashKey ?? MAX_HASH_KEY);
  // Text of one character per byte is ordered as the numbers are.
  const firstBytes = bytesOf(first);
  const lastBytes = bytesOf(last);
  return {
    full: first <= 0n && last >= MAX_HASH_KEY,
    holdsPartitionKey(key) {
      const digest = hash("md5", key, "binary");
      return digest >= firstBytes && digest <= lastBytes;
    },
    holdsHashKey: (hashKey) => hashKey >= first && hashKey <= last,
  };
}

function bytesOf(hashKey: bigint): string {
  return Buffer.from(hashKey.toString(16).padStart(32, "0"), "hex").toString("latin1");
}
