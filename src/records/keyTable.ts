// The partition keys of an aggregate: how each is written in JSON, and whether the shard holds it.

import { type ByteSource, sourceOf } from "./byteSource.ts";
import { asJavaText, type HashRange } from "./hashRange.ts";
import { quoteForLines } from "./jsonCursor.ts";
import { TextPiece } from "./textPiece.ts";

/** Each key is looked at once, however many records have it. */
export class KeyTable {
  readonly #source: ByteSource;
  readonly #places: readonly number[];
  readonly #hashes: HashRange;
  /** 0 as long as a key was not looked at. */
  readonly #flags: Uint8Array;
  /** Keys that are not the inside of a JSON string as they are: with quotes and escapes. */
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
    return (this.#look(index) & HELD) !== 0;
  }

  /** The key as the inside of a JSON string: the same piece each time. */
  inJson(index: number): TextPiece {
    if ((this.#look(index) & PLAIN) !== 0) {
      this.#piece.set(this.#source, this.#places[2 * index] ?? 0, this.#places[2 * index + 1] ?? 0);
    } else {
      const quoted = this.#quoted.get(index) ?? this.#source;
      this.#piece.set(quoted, 1, quoted.bytes.length - 1);
    }
    return this.#piece;
  }

  #look(index: number): number {
    const known = this.#flags[index] ?? 0;
    if (known !== 0) return known;
    const { bytes } = this.#source;
    const start = this.#places[2 * index] ?? 0;
    const end = this.#places[2 * index + 1] ?? 0;
    let flags = LOOKED_AT;
    if (isPlain(bytes, start, end)) {
      flags |= PLAIN;
      if (this.#hashes.isFull || this.#hashes.holdsPartitionKey(bytes, start, end)) flags |= HELD;
    } else {
      const key = asJavaText(bytes.subarray(start, end));
      this.#quoted.set(index, sourceOf(quoteForLines(key.toString("utf8"))));
      if (this.#hashes.isFull || this.#hashes.holdsPartitionKey(key, 0, key.length)) flags |= HELD;
    }
    this.#flags[index] = flags;
    return flags;
  }
}

const LOOKED_AT = 1;
const PLAIN = 2;
const HELD = 4;

/** Printable ASCII without quotes and backslashes stands for itself. */
function isPlain(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return false;
  }
  return true;
}
