// A piece of UTF-8 text somewhere in a buffer. Few of them are made, and each stands for one piece after the other.

import { ByteSource } from "./byteSource.ts";

const NOWHERE = new ByteSource(Buffer.alloc(0));

export class TextPiece {
  source = NOWHERE;
  start = 0;
  end = 0;

  set(source: ByteSource, start: number, end: number): void {
    this.source = source;
    this.start = start;
    this.end = end;
  }

  clear(): void {
    this.set(NOWHERE, 0, 0);
  }

  get length(): number {
    return this.end - this.start;
  }

  /** What is known to be ASCII. */
  toString(): string {
    return this.source.bytes.toString("latin1", this.start, this.end);
  }
}
