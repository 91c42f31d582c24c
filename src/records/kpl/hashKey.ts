// Hash keys: which shard a record belongs to. The hash key of a record is the MD5 of its partition
// key as a 128-bit number, unless the producer chose an explicit hash key.

import { hash } from "node:crypto";
import { LAST_HASH_KEY } from "../../model/shard.ts";
import { md5Words, SHORT_KEY_BYTES } from "./md5.ts";

/** A character has at most 3 bytes of UTF-8 for each UTF-16 unit. */
const scratch = Buffer.alloc(3 * 256);

/** Writes the hash key of a partition key into `words`: four words, the most significant first. */
export function hashWords(partitionKey: string, words: Uint32Array): void {
  if (partitionKey.length <= SHORT_KEY_BYTES) {
    const length = scratch.write(partitionKey, 0, "utf8");
    if (length <= SHORT_KEY_BYTES) {
      md5Words(scratch, 0, length, words);
      return;
    }
  }
  const hex = hash("md5", partitionKey, "hex");
  for (let word = 0; word < 4; word += 1) {
    words[word] = Number.parseInt(hex.slice(word * 8, word * 8 + 8), 16);
  }
}

/** Splits a hash key into four words, the most significant first. */
export function wordsOfHashKey(
  hashKey: bigint,
  words: Uint32Array = new Uint32Array(4),
): Uint32Array {
  for (let word = 0, shift = 96n; word < 4; word += 1, shift -= 32n) {
    words[word] = Number((hashKey >> shift) & 0xffffffffn);
  }
  return words;
}

export function hashKeyOf(words: Uint32Array): bigint {
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

/** @returns the number, or `undefined` if the text is no decimal number from 0 to 2^128−1. */
export function parseHashKey(text: string): bigint | undefined {
  const trimmed = text.trim();
  if (!/^\d{1,128}$/.test(trimmed)) return undefined;
  const value = BigInt(trimmed);
  return value <= LAST_HASH_KEY ? value : undefined;
}
