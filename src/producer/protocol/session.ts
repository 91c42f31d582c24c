// One client: reads its lines, puts its records, and writes their results. protocol/producer.md
// specifies the messages. Memory is bounded by the producer's budget: without room for a record, or
// while the client does not read its results, no further line is read.

import { isUtf8 } from "node:buffer";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { type Line, LineSplitter } from "../../lines.ts";
import { anySignal, unlessAborted, within } from "../../signals.ts";
import { type ProducerCore, sizeOf } from "../core.ts";
import { isStored, type Outcome } from "../record.ts";
import { DEFAULT_MAX_RECORD_BYTES } from "../streamCalls.ts";
import { type ClientMessage, clientMessage, MAX_LINE_BYTES, type MessageId } from "./messages.ts";
import { Output } from "./output.ts";
import { isMessageId, readPut } from "./readPut.ts";

export interface SessionParts {
  readonly core: ProducerCore;
  /** The stream of a put without one. */
  readonly stream: string | undefined;
  readonly maxInFlightBytes: number;
  readonly closeTimeoutMs: number;
  /** Whether the producer has a spill directory. */
  readonly keepsOnDisk: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly input: Readable;
  readonly output: Writable;
}

export interface Totals {
  readonly stored: number;
  readonly failed: number;
  readonly notStored: number;
}

type Other = Exclude<ClientMessage, { action: "put" }>;

export class Session {
  readonly #parts: SessionParts;
  readonly #output: Output;
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES);
  #lineNumber = 0;
  #stored = 0;
  #failed = 0;
  #outstanding = 0;
  #whenSettled: (() => void) | undefined;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#output = new Output(parts.output);
  }

  /** Returns when the client has ended its input, or the signal is aborted, and all is reported. */
  async run(signal: AbortSignal): Promise<Totals> {
    const { core, stream, maxInFlightBytes, closeTimeoutMs } = this.#parts;
    this.#output.write({
      action: "ready",
      protocolVersion: 1,
      stream: stream ?? null,
      maxRecordBytes: stream === undefined ? DEFAULT_MAX_RECORD_BYTES : core.maxRecordBytes(stream),
      maxInFlightBytes,
      spill: this.#parts.keepsOnDisk,
    });
    const { signal: stopped, release } = anySignal(signal, this.#output.broken);
    try {
      await this.#read(stopped);
    } finally {
      release();
    }
    void core.flush();
    await this.#settled(closeTimeoutMs);
    const totals = {
      stored: this.#stored,
      failed: this.#failed,
      notStored: this.#outstanding,
    };
    const ended = this.#output.end({ action: "closed", ...totals });
    // A client that is still there may be slow. One that reads nothing does not keep us alive.
    if (signal.aborted) await this.#atMost(closeTimeoutMs, ended);
    else await ended;
    const { unreported } = this.#output;
    if (unreported > 0) this.#parts.emit({ type: "clientLost", unreported });
    return totals;
  }

  /** Not `for await`: it would destroy a socket, to which results are still written. */
  async #read(signal: AbortSignal): Promise<void> {
    const chunks = this.#parts.input.iterator({ destroyOnReturn: false });
    try {
      for (;;) {
        const next = await unlessAborted(chunks.next(), signal);
        if (next === undefined || next.done) break;
        for (const line of this.#splitter.push(next.value)) {
          await this.#line(line, signal);
          if (signal.aborted) break;
        }
        await this.#output.drained(signal);
      }
    } catch (error) {
      this.#parts.emit({ type: "clientFailed", error });
    }
    const last = this.#splitter.end();
    if (last && !signal.aborted) await this.#line(last, signal);
  }

  /** Returns a promise only if it has to wait. */
  #line({ bytes, cut }: Line, signal: AbortSignal): Promise<void> | undefined {
    this.#lineNumber += 1;
    if (bytes.length === 0) return undefined;
    const cost = bytes.length + 1;
    if (cut) return this.#refuse(cost, `the line is longer than ${MAX_LINE_BYTES} bytes`);
    if (!isUtf8(bytes)) return this.#refuse(cost, "the line is not valid UTF-8");
    let message: unknown;
    try {
      message = JSON.parse(bytes.toString());
    } catch (error) {
      return this.#refuse(cost, `the line is not JSON: ${(error as Error).message}`);
    }
    if (!isObject(message)) return this.#refuse(cost, "the line is not a JSON object");
    if (message["action"] === "put") return this.#put(message, cost, signal);
    const { data, error } = clientMessage.safeParse(message);
    if (data && data.action !== "put") this.#answer(data);
    else this.#refuse(0, whatIsWrong(message, error?.issues ?? []));
    this.#output.credit(cost);
    return undefined;
  }

  #put(
    message: Readonly<Record<string, unknown>>,
    cost: number,
    signal: AbortSignal,
  ): Promise<void> | undefined {
    const { core, stream: ownStream } = this.#parts;
    const id = isMessageId(message["id"]) ? message["id"] : undefined;
    const line = this.#lineNumber;
    const read = readPut(message);
    if (typeof read === "string") {
      this.#fail(id, line, cost, { errorCode: "InvalidRecord", message: read, attempts: [] });
      return undefined;
    }
    const { stream = ownStream, record } = read;
    const problem =
      stream === undefined
        ? { errorCode: "InvalidRecord", message: NO_STREAM }
        : core.problemOf(stream, record);
    if (problem || stream === undefined) {
      const { errorCode = "InvalidRecord", message: why = NO_STREAM } = problem ?? {};
      this.#fail(id, line, cost, { errorCode, message: why, attempts: [] });
      return undefined;
    }
    const settle = (outcome: Outcome) => this.#settle(id, line, cost, outcome);
    const take = () => {
      this.#outstanding += 1;
      core.put(stream, record, settle, () => {
        if (id !== undefined) this.#output.write({ action: "accepted", id });
      });
    };
    if (core.tryRoom(sizeOf(record))) {
      take();
      return undefined;
    }
    return this.#whenRoom(sizeOf(record), take, signal);
  }

  /** At the end of the session, a record that waits for room is not taken. */
  async #whenRoom(bytes: number, take: () => void, signal: AbortSignal): Promise<void> {
    const { core } = this.#parts;
    const room = core.room(bytes).then(() => (signal.aborted ? core.giveBack(bytes) : take()));
    await unlessAborted(room, signal);
  }

  #settle(id: MessageId | undefined, line: number, cost: number, outcome: Outcome): void {
    this.#outstanding -= 1;
    if (isStored(outcome)) {
      this.#stored += 1;
      if (id !== undefined) this.#output.stored(id, outcome);
      this.#output.credit(cost);
    } else {
      this.#fail(id, line, cost, outcome);
    }
    if (this.#outstanding === 0) this.#whenSettled?.();
  }

  #fail(
    id: MessageId | undefined,
    line: number,
    cost: number,
    { errorCode: error, message, attempts }: Extract<Outcome, { errorCode: string }>,
  ): void {
    this.#failed += 1;
    const who = id === undefined ? { id: null, line } : { id };
    this.#output.write({ action: "result", ...who, error, message, attempts: [...attempts] });
    this.#output.credit(cost);
  }

  #answer(message: Other): void {
    const { core } = this.#parts;
    const id = "id" in message ? (message.id ?? null) : null;
    switch (message.action) {
      case "start":
        if (message.credit) this.#output.useCredit();
        return;
      case "flush":
        void core
          .flush(message.timeoutMs)
          .then((notStored) => this.#output.write({ action: "flushed", id, notStored }));
        return;
      case "metrics":
        this.#output.write({ action: "metrics", id, metrics: figuresOf(core, message) });
    }
  }

  #refuse(cost: number, message: string): undefined {
    const line = this.#lineNumber;
    this.#output.write({ action: "error", line, error: "InvalidMessage", message });
    this.#output.credit(cost);
    return undefined;
  }

  async #settled(limitMs: number): Promise<void> {
    if (this.#outstanding === 0) return;
    const settled = new Promise<void>((resolve) => {
      this.#whenSettled = resolve;
    });
    await this.#atMost(limitMs, settled);
  }

  async #atMost(limitMs: number, work: Promise<void>): Promise<void> {
    const never = new AbortController().signal;
    await within(limitMs, this.#parts.clock, never, (limit) => unlessAborted(work, limit));
  }
}

const NO_STREAM = "the record names no stream; add stream, or start the producer with --stream";

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function whatIsWrong(
  message: Readonly<Record<string, unknown>>,
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): string {
  const { action } = message;
  if (!["start", "flush", "metrics"].includes(String(action))) {
    return `unknown action ${JSON.stringify(action) ?? "(none)"}; allowed: start, put, flush, metrics`;
  }
  return issues.map(({ path, message: why }) => `${path.join(".")}: ${why}`).join("; ");
}

function figuresOf(core: ProducerCore, query: Extract<Other, { action: "metrics" }>) {
  return core.metrics(query).map(({ dimensions, ...figure }) => ({
    ...figure,
    dimensions: Object.fromEntries(Object.entries(dimensions)),
  }));
}
