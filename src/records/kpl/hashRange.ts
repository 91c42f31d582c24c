// Whether a shard holds a record's hash key. The hash key is the MD5 of the partition key as a
// 128-bit number, unless the producer chose an explicit hash key.

import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { type HashKeyRange, LAST_HASH_KEY } from "../../model/shard.ts";
import { md5Words, SHORT_KEY_BYTES } from "./md5.ts";

export class HashRange {
  /** The range holds every hash key: callers need not hash partition keys. */
  readonly isFull: boolean;
  readonly #first: bigint;
  readonly #last: bigint;
  readonly #firstWords: Uint32Array;
  readonly #lastWords: Uint32Array;
  readonly #digest = new Uint32Array(4);

  /** @param range absent: every hash key. */
  constructor(range: HashKeyRange | undefined) {
    this.#first = BigInt(range?.startingHashKey ?? 0);
    this.#last = BigInt(range?.endingHashKey ?? LAST_HASH_KEY);
    this.isFull = this.#first <= 0n && this.#last >= LAST_HASH_KEY;
    this.#firstWords = wordsOf(this.#first);
    this.#lastWords = wordsOf(this.#last);
  }

  holdsHashKey(hashKey: bigint): boolean {
    return hashKey >= this.#first && hashKey <= this.#last;
  }

  /** @param bytes contains the key in UTF-8, from `start` to `end`. */
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

/** The bytes that Java hashes: it decodes the key first, which replaces invalid UTF-8 by U+FFFD. */
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
