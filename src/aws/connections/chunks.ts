// Takes apart a body in chunks (RFC 9112, 7.1), however its bytes come in.

import { BrokenAnswer } from "./errors.ts";

const LINE_FEED = 0x0a;
/** A chunk's length with its extensions, or a line of the trailer. */
const MAX_LINE_BYTES = 4096;

export class Chunks {
  /** The line being read, where one is. */
  #line = "";
  /** Of the present chunk. */
  #left = 0;
  #inside: "length" | "data" | "dataEnd" | "trailer" | "over" = "length";

  get over(): boolean {
    return this.#inside === "over";
  }

  /**
   * @param data is called with each stretch of the body.
   * @returns the first byte that does not belong to the body any more; `end` as long as it is not over.
   * @throws BrokenAnswer
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
          throw new BrokenAnswer("has a chunk without length");
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
      if (digits === undefined) throw new BrokenAnswer("has a chunk without length");
      this.#left = Number.parseInt(digits, 16);
      this.#inside = this.#left > 0 ? "data" : "trailer";
    } else if (this.#inside === "dataEnd") {
      if (line !== "") throw new BrokenAnswer("has a chunk that is longer than it says");
      this.#inside = "length";
    } else if (line === "") {
      this.#inside = "over";
    }
  }
}
