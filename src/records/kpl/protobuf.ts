// The part of Protocol Buffers that aggregates need: reading fields in order, without copying. The
// reader rejects what Google's parser rejects, because that decides whether a payload is an
// aggregate.

export const VARINT = 0;
const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

/** Nested groups. Google's parser has the same limit. */
const MAX_GROUP_DEPTH = 100;

/** The bytes are not a valid message. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

export class MessageReader {
  readonly #bytes: Buffer;
  #pos: number;
  #end: number;

  /** The number of the field that `next` read. */
  field = 0;
  wireType = 0;
  /** The value of a varint field; inexact above 2^53. */
  value = 0;
  /** The bounds of a length-delimited field's content. */
  start = 0;
  end = 0;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#pos = start;
    this.#end = end;
  }

  /** Starts again with other bytes of the same buffer, for a nested message. */
  reset(start: number, end: number): void {
    this.#pos = start;
    this.#end = end;
  }

  /**
   * Reads one field.
   *
   * @returns false at the end of the message.
   * @throws MalformedMessage
   */
  next(): boolean {
    if (this.#pos >= this.#end) return false;
    this.#tag();
    if (this.wireType === END_GROUP) throw new MalformedMessage("a group ends that never began");
    this.#content(0);
    return true;
  }

  #tag(): void {
    const tag = this.#varint();
    if (tag > 0xffffffff || tag < 8) throw new MalformedMessage(`${tag} is no tag`);
    this.wireType = tag & 7;
    this.field = tag >>> 3;
  }

  #content(depth: number): void {
    switch (this.wireType) {
      case VARINT:
        this.value = this.#varint();
        return;
      case LENGTH_DELIMITED: {
        const length = this.#varint();
        this.start = this.#pos;
        this.#pass(length);
        this.end = this.#pos;
        return;
      }
      case FIXED64:
        this.#pass(8);
        return;
      case FIXED32:
        this.#pass(4);
        return;
      case START_GROUP:
        this.#group(depth);
        return;
      default:
        throw new MalformedMessage(`${this.wireType} is no wire type`);
    }
  }

  #group(depth: number): void {
    const { field } = this;
    if (depth >= MAX_GROUP_DEPTH) throw new MalformedMessage("too many groups within groups");
    for (;;) {
      this.#tag();
      if (this.wireType === END_GROUP) break;
      this.#content(depth + 1);
    }
    if (this.field !== field) throw new MalformedMessage("a group ends with another's number");
    this.wireType = START_GROUP;
  }

  #pass(length: number): void {
    this.#pos += length;
    if (this.#pos > this.#end) throw new MalformedMessage("it ends too early");
  }

  #varint(): number {
    const first = this.#bytes[this.#pos] ?? 0;
    if (first < 0x80 && this.#pos < this.#end) {
      this.#pos += 1;
      return first;
    }
    let value = 0;
    let weight = 1;
    for (let count = 0; count < 10; count += 1) {
      if (this.#pos >= this.#end) throw new MalformedMessage("it ends too early");
      const byte = this.#bytes[this.#pos] ?? 0;
      this.#pos += 1;
      value += (byte & 0x7f) * weight;
      weight *= 128;
      if (byte < 0x80) return value;
    }
    throw new MalformedMessage("a number is too long");
  }
}
