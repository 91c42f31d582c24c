// The partition keys of one aggregate: the JSON of each, and whether the shard holds it. Many
// records share a key, so the table examines each key once.

import { escapeSeparators } from "../../lines.ts";
import { type ByteSource, sourceOf, TextPiece } from "../byteSource.ts";
import { asJavaText, type HashRange } from "./hashRange.ts";

export class KeyTable {
  readonly #source: ByteSource;
  readonly #places: readonly number[];
  readonly #hashes: HashRange;
  /** Per key; 0 = not examined yet. */
  readonly #flags: Uint8Array;
  /** The keys that need escapes in JSON, escaped and in quotes. */
  readonly #quoted = new Map<number, ByteSource>();

  readonly #piece = new TextPiece();

  constructor(source: ByteSource, places: readonly number[], hashes: HashRange) {
    this.#source = source;
    this.#places = places;
    this.#hashes = hashes;
    this.#flags = new Uint8Array(places.length / 2);
  }

  has(index: number): boolean {
    return index < this.#flags.length;
  }

  isHeld(index: number): boolean {
    return (this.#examine(index) & HELD) !== 0;
  }

  /** The key as the content of a JSON string. Every call returns the same object. */
  inJson(index: number): TextPiece {
    if ((this.#examine(index) & PLAIN) !== 0) {
      this.#piece.set(this.#source, this.#places[2 * index] ?? 0, this.#places[2 * index + 1] ?? 0);
    } else {
      const quoted = this.#quoted.get(index) ?? this.#source;
      this.#piece.set(quoted, 1, quoted.bytes.length - 1);
    }
    return this.#piece;
  }

  #examine(index: number): number {
    const known = this.#flags[index] ?? 0;
    if (known !== 0) return known;
    const { bytes } = this.#source;
    const start = this.#places[2 * index] ?? 0;
    const end = this.#places[2 * index + 1] ?? 0;
    let flags = EXAMINED;
    if (isPlain(bytes, start, end)) {
      flags |= PLAIN;
      if (this.#hashes.isFull || this.#hashes.holdsPartitionKey(bytes, start, end)) flags |= HELD;
    } else {
      const key = asJavaText(bytes.subarray(start, end));
      this.#quoted.set(index, sourceOf(escapeSeparators(JSON.stringify(key.toString("utf8")))));
      if (this.#hashes.isFull || this.#hashes.holdsPartitionKey(key, 0, key.length)) flags |= HELD;
    }
    this.#flags[index] = flags;
    return flags;
  }
}

const EXAMINED = 1;
const PLAIN = 2;
const HELD = 4;

/** Printable ASCII without quotes and backslashes needs no escapes in JSON. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return false;
  }
  return true;
}
