// The lines to one client. Lines of one turn of the event loop are written at once. When the client
// has gone, lines are dropped and results counted.

import type { Writable } from "node:stream";
import { escapeSeparators } from "../../lines.ts";
import { unlessAborted } from "../../signals.ts";
import type { Stored } from "../record.ts";
import type { MessageId, ProducerMessage } from "./messages.ts";

export class Output {
  readonly #stream: Writable;
  #lines: string[] = [];
  #usesCredit = false;
  #credit = 0;
  #isScheduled = false;
  readonly #broken = new AbortController();
  #unreported = 0;
  #proceed = () => {};

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", () => this.#broke());
    stream.on("close", () => this.#broke());
    stream.on("drain", () => this.#proceed());
  }

  /** Aborted when nobody reads the lines any more. */
  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  /** Results that nobody received. */
  get unreported(): number {
    return this.#unreported;
  }

  /** From now on the client gets `credit` lines. */
  useCredit(): void {
    this.#usesCredit = true;
  }

  /** Returns credit for the bytes of a line that is done. */
  credit(bytes: number): void {
    if (!this.#usesCredit || bytes === 0) return;
    this.#credit += bytes;
    this.#schedule();
  }

  write(message: ProducerMessage): void {
    this.#push(escapeSeparators(JSON.stringify(message)), message.action === "result");
  }

  /** The result of which there are millions. */
  stored(id: MessageId, { shardId, sequenceNumber, subSequenceNumber, attempts }: Stored): void {
    const name = typeof id === "number" ? id : escapeSeparators(JSON.stringify(id));
    this.#push(
      `{"action":"result","id":${name},"shardId":"${shardId}","sequenceNumber":"${sequenceNumber}","subSequenceNumber":${subSequenceNumber},"attempts":${JSON.stringify(attempts)}}`,
      true,
    );
  }

  /** Resolves when the client has read enough, or the signal is aborted. */
  async drained(signal: AbortSignal): Promise<void> {
    if (!this.#stream.writableNeedDrain || this.broken.aborted) return;
    const drained = new Promise<void>((resolve) => {
      this.#proceed = resolve;
    });
    await unlessAborted(drained, signal);
  }

  /** Writes the rest and the last line. Resolves when all is written or the client has gone. */
  async end(last: ProducerMessage): Promise<void> {
    this.#flush();
    this.write(last);
    this.#flush();
    if (this.broken.aborted) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve).once("error", resolve);
      // STDOUT cannot be ended: an empty write returns when all before it is written.
      if (this.#stream === process.stdout) this.#stream.write("", () => resolve());
      else this.#stream.end(() => resolve());
    });
  }

  #push(line: string, isResult: boolean): void {
    if (this.broken.aborted) {
      if (isResult) this.#unreported += 1;
      return;
    }
    this.#lines.push(line);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#credit > 0) {
      this.#lines.push(JSON.stringify({ action: "credit", bytes: this.#credit }));
      this.#credit = 0;
    }
    if (this.#lines.length === 0 || this.broken.aborted) return;
    const text = `${this.#lines.join("\n")}\n`;
    this.#lines = [];
    this.#stream.write(text);
  }

  #broke(): void {
    this.#broken.abort();
    this.#proceed();
  }
}
