// Decodes a chunked body (RFC 9112, 7.1), however its bytes are split into packets.

import { InvalidHttpResponse } from "./errors.ts";

const LINE_FEED = 0x0a;
/** The limit of a chunk's length line with its extensions, and of a trailer line. */
const MAX_LINE_BYTES = 4096;

export class Chunks {
  /** The beginning of the current line. */
  #line = "";
  /** Bytes of the current chunk that are still to come. */
  #left = 0;
  #inside: "length" | "data" | "dataEnd" | "trailer" | "over" = "length";

  get over(): boolean {
    return this.#inside === "over";
  }

  /**
   * @param data receives the bounds of each part of the body.
   * @returns the offset of the first byte after the body; `end` while the body is incomplete.
   * @throws InvalidHttpResponse
   */
  read(
    bytes: Buffer,
    start: number,
    end: number,
    data: (from: number, to: number) => void,
  ): number {
    let at = start;
    while (at < end && !this.over) {
      if (this.#inside === "data") {
        const to = Math.min(end, at + this.#left);
        data(at, to);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#inside = "dataEnd";
      } else {
        const feed = bytes.indexOf(LINE_FEED, at);
        const to = feed < 0 || feed >= end ? end : feed + 1;
        this.#line += bytes.toString("latin1", at, to);
        if (this.#line.length > MAX_LINE_BYTES)
          throw new InvalidHttpResponse("has a chunk without length");
        at = to;
        if (this.#line.endsWith("\n")) this.#lineEnded();
      }
    }
    return at;
  }

  #lineEnded(): void {
    const line = this.#line.replace(/\r?\n$/, "");
    this.#line = "";
    if (this.#inside === "length") {
      const [, digits] = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line) ?? [];
      if (digits === undefined) throw new InvalidHttpResponse("has a chunk without length");
      this.#left = Number.parseInt(digits, 16);
      this.#inside = this.#left > 0 ? "data" : "trailer";
    } else if (this.#inside === "dataEnd") {
      if (line !== "") throw new InvalidHttpResponse("has a chunk that is longer than its length");
      this.#inside = "length";
    } else if (line === "") {
      this.#inside = "over";
    }
  }
}
