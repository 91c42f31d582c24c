// Reads the responses of one connection one after the other. The reader decides where the socket
// puts the next bytes (`target`). The length of AWS's bodies is known, so the kernel writes them
// directly into their final buffer. Node's own client allocates, copies and discards a buffer for
// each packet, which costs six times as much.

import { Chunks } from "./chunks.ts";
import { ConnectionLost, InvalidHttpResponse } from "./errors.ts";
import { parseHead, type ResponseHead } from "./responseHead.ts";

export interface HttpResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The connection can be used for another call. */
  readonly reusable: boolean;
}

export interface ResponseLimits {
  /** A longer body is an error. */
  readonly maxBodyBytes: number;
  /** Allocates memory for a body: at least that many bytes. */
  readonly allocate: (bytes: number) => Buffer;
}

/** The buffer for heads, and for bodies of unknown length. A longer head is an error. */
const SCRATCH_BYTES = 16 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const EMPTY: Buffer = Buffer.alloc(0);

export class ResponseReader {
  readonly #limits: ResponseLimits;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  /** The bytes in the scratch buffer. */
  #filled = 0;
  #head: ResponseHead | undefined;
  #chunks = new Chunks();
  #body: Buffer = EMPTY;
  #length = 0;

  constructor(limits: ResponseLimits) {
    this.#limits = limits;
  }

  /** The memory for the next bytes; never empty. */
  get target(): Buffer {
    if (this.#head?.framing.type === "length") return this.#body.subarray(this.#length);
    return this.#filled === 0 ? this.#scratch : this.#scratch.subarray(this.#filled);
  }

  /** No byte of the next response has arrived. */
  get isBetween(): boolean {
    return this.#head === undefined && this.#filled === 0;
  }

  /**
   * The socket has put bytes into the target.
   *
   * @returns the response when it is complete.
   * @throws InvalidHttpResponse
   */
  received(bytes: number): HttpResponse | undefined {
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
   * @returns the response, if the end of the connection is the end of its body.
   * @throws ConnectionLost when the response is incomplete.
   */
  closed(): HttpResponse {
    if (this.#head?.framing.type === "untilClose") return this.#finish(0);
    throw new ConnectionLost(
      "ECONNRESET",
      this.isBetween
        ? "The service closed the connection before its response."
        : "The service closed the connection in the middle of its response.",
    );
  }

  #readHead(): HttpResponse | undefined {
    const end = this.#scratch.subarray(0, this.#filled).indexOf(HEAD_END);
    if (end < 0) {
      if (this.#filled < SCRATCH_BYTES) return undefined;
      throw new InvalidHttpResponse(`has a head longer than ${SCRATCH_BYTES} bytes`);
    }
    const head = parseHead(this.#scratch.toString("latin1", 0, end));
    const bodyStart = end + HEAD_END.length;
    // An interim response such as "100 Continue" precedes the final one.
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
      // `allocate` may return more.
      this.#body = this.#body.subarray(0, head.framing.bytes);
    } else {
      this.#body = EMPTY;
    }
    return this.#continue(head, bodyStart);
  }

  /** Reads the body from the bytes in the scratch buffer, from `start` on. */
  #continue({ framing }: ResponseHead, start: number): HttpResponse | undefined {
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
    if (bytes > maxBodyBytes) throw new InvalidHttpResponse(`is longer than ${maxBodyBytes} bytes`);
  }

  /** @param surplus bytes after the end of the response, which belong to no call. */
  #finish(surplus: number): HttpResponse {
    const { statusCode = 0, headers = {}, framing, keepAlive } = this.#head ?? {};
    const body = this.#body.subarray(0, this.#length);
    this.#head = undefined;
    this.#body = EMPTY;
    const reusable = keepAlive === true && surplus === 0 && framing?.type !== "untilClose";
    return { statusCode, headers, body, reusable };
  }
}
