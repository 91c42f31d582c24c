// Reads the answers of one connection, one after the other. It says where the next bytes are to be put: for a body whose
// length is known, which those of AWS are, that is the place where they stay. So the kernel writes large answers straight
// into the buffer that is then read, without a piece of memory for each packet that would have to be copied and collected;
// that is six times cheaper than Node's own client.

import { type AnswerHead, parseHead } from "./answerHead.ts";
import { Chunks } from "./chunks.ts";
import { BrokenAnswer, ConnectionLost } from "./errors.ts";

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The connection is free for another call. */
  readonly reusable: boolean;
}

export interface AnswerLimits {
  /** A body that is longer is an error. */
  readonly maxBodyBytes: number;
  /** Memory for bodies. */
  readonly allocate: (bytes: number) => Buffer;
}

/** Where heads come in, and short bodies with them; longer heads are an error. */
const SCRATCH_BYTES = 16 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const EMPTY: Buffer = Buffer.alloc(0);

export class AnswerReader {
  readonly #limits: AnswerLimits;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** What is in the scratch. */
  #filled = 0;
  #head: AnswerHead | undefined;
  #chunks = new Chunks();
  #body: Buffer = EMPTY;
  #length = 0;

  constructor(limits: AnswerLimits) {
    this.#limits = limits;
  }

  /** Where the next bytes go; never empty. */
  get target(): Buffer {
    if (this.#head?.framing.type === "length") return this.#body.subarray(this.#length);
    return this.#filled === 0 ? this.#scratch : this.#scratch.subarray(this.#filled);
  }

  /** Nothing of the next answer has come. */
  get isBetween(): boolean {
    return this.#head === undefined && this.#filled === 0;
  }

  /**
   * So many bytes have been put into the target.
   *
   * @returns the answer when that was the rest of it.
   * @throws BrokenAnswer
   */
  received(bytes: number): Answer | undefined {
    if (this.#head?.framing.type === "length") {
      this.#length += bytes;
      return this.#length === this.#body.length ? this.#finish(0) : undefined;
    }
    this.#filled += bytes;
    return this.#head ? this.#continue(this.#head, 0) : this.#readHead();
  }

  /**
   * The service has closed the connection.
   *
   * @returns the answer if that is how it ends.
   * @throws ConnectionLost when it is not whole.
   */
  closed(): Answer {
    if (this.#head?.framing.type === "untilClose") return this.#finish(0);
    throw new ConnectionLost(
      "ECONNRESET",
      this.isBetween
        ? "The service closed the connection without an answer."
        : "The service closed the connection in the middle of its answer.",
    );
  }

  #readHead(): Answer | undefined {
    const end = this.#scratch.subarray(0, this.#filled).indexOf(HEAD_END);
    if (end < 0) {
      if (this.#filled < SCRATCH_BYTES) return undefined;
      throw new BrokenAnswer(`has a head of more than ${SCRATCH_BYTES} bytes`);
    }
    const head = parseHead(this.#scratch.toString("latin1", 0, end));
    const bodyStart = end + HEAD_END.length;
    // "Continue" and the like come before the answer itself.
    if (head.statusCode < 200) {
      this.#scratch.copyWithin(0, bodyStart, this.#filled);
      this.#filled -= bodyStart;
      return this.#filled > 0 ? this.#readHead() : undefined;
    }
    this.#head = head;
    this.#chunks = new Chunks();
    this.#length = 0;
    if (head.framing.type === "length") {
      this.#limit(head.framing.bytes);
      this.#body = head.framing.bytes > 0 ? this.#limits.allocate(head.framing.bytes) : EMPTY;
      // The memory may be larger than what was asked for.
      this.#body = this.#body.subarray(0, head.framing.bytes);
    } else {
      this.#body = EMPTY;
    }
    return this.#continue(head, bodyStart);
  }

  /** With what stands in the scratch from `start` on. */
  #continue({ framing }: AnswerHead, start: number): Answer | undefined {
    const end = this.#filled;
    this.#filled = 0;
    switch (framing.type) {
      case "length": {
        const to = Math.min(end, start + framing.bytes);
        this.#scratch.copy(this.#body, 0, start, to);
        this.#length = to - start;
        return this.#length === framing.bytes ? this.#finish(end - to) : undefined;
      }
      case "chunked": {
        const append = (from: number, to: number) => this.#append(from, to);
        const to = this.#chunks.read(this.#scratch, start, end, append);
        return this.#chunks.over ? this.#finish(end - to) : undefined;
      }
      case "untilClose":
        this.#append(start, end);
        return undefined;
    }
  }

  #append(from: number, to: number): void {
    const needed = this.#length + to - from;
    if (needed > this.#body.length) {
      this.#limit(needed);
      const larger = this.#limits.allocate(Math.max(needed, 2 * this.#body.length, SCRATCH_BYTES));
      this.#body.copy(larger, 0, 0, this.#length);
      this.#body = larger;
    }
    this.#scratch.copy(this.#body, this.#length, from, to);
    this.#length = needed;
  }

  #limit(bytes: number): void {
    const { maxBodyBytes } = this.#limits;
    if (bytes > maxBodyBytes) throw new BrokenAnswer(`is longer than ${maxBodyBytes} bytes`);
  }

  /** @param surplus bytes that came behind the answer, for which nobody asked. */
  #finish(surplus: number): Answer {
    const { statusCode = 0, headers = {}, framing, keepAlive } = this.#head ?? {};
    const body = this.#body.subarray(0, this.#length);
    this.#head = undefined;
    this.#body = EMPTY;
    const reusable = keepAlive === true && surplus === 0 && framing?.type !== "untilClose";
    return { statusCode, headers, body, reusable };
  }
}
