// Whether a record's hash key belongs to a shard. The hash key is the MD5 of the partition key, as a number of 128 bits,
// unless the producer gave one.

import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import type { HashKeyRange } from "../model/shard.ts";
import { md5Words, SHORT_KEY_BYTES } from "./md5.ts";

const MAX_HASH_KEY = 2n ** 128n - 1n;

export class HashRange {
  /** True when every partition key belongs here: there is no need to hash any. */
  readonly isFull: boolean;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #firstWords: Uint32Array;
  readonly #lastWords: Uint32Array;
  readonly #digest = new Uint32Array(4);

  /** @param range absent: every hash key that exists. */
  constructor(range: HashKeyRange | undefined) {
    this.#first = BigInt(range?.startingHashKey ?? 0);
    this.#last = BigInt(range?.endingHashKey ?? MAX_HASH_KEY);
    this.isFull = this.#first <= 0n && this.#last >= MAX_HASH_KEY;
    this.#firstWords = wordsOf(this.#first);
    this.#lastWords = wordsOf(this.#last);
  }

  holdsHashKey(hashKey: bigint): boolean {
    return hashKey >= this.#first && hashKey <= this.#last;
  }

  /** @param bytes where the key's UTF-8 stands, from `start` to `end`. */
  holdsPartitionKey(bytes: Buffer, start: number, end: number): boolean {
    this.#hash(bytes, start, end);
    return (
      compareWords(this.#digest, this.#firstWords) >= 0 &&
      compareWords(this.#digest, this.#lastWords) <= 0
    );
  }

  #hash(bytes: Buffer, start: number, end: number): void {
    const key = end - start > SHORT_KEY_BYTES ? bytes.subarray(start, end) : undefined;
    if (!key) {
      md5Words(bytes, start, end, this.#digest);
      return;
    }
    const hex = hash("md5", key, "hex");
    for (let word = 0; word < 4; word += 1) {
      this.#digest[word] = Number.parseInt(hex.slice(word * 8, word * 8 + 8), 16);
    }
  }
}

/** What Java hashes: the key as text, in which broken UTF-8 has become U+FFFD. */
export function asJavaText(key: Buffer): Buffer {
  return isUtf8(key) ? key : Buffer.from(key.toString("utf8"));
}

function wordsOf(hashKey: bigint): Uint32Array {
  return Uint32Array.from([96n, 64n, 32n, 0n], (shift) => Number((hashKey >> shift) & 0xffffffffn));
}

function compareWords(a: Uint32Array, b: Uint32Array): number {
  for (let word = 0; word < 4; word += 1) {
    const difference = (a[word] ?? 0) - (b[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
