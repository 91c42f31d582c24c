// The library `kinesis-multilang/producer`: puts records into Kinesis streams, as the Kinesis
// Producer Library does, within one Node process.

import { systemClock } from "../clock.ts";
import type { CredentialsProvider } from "../config/credentialsProvider.ts";
import type { Emit, Event } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { type Connection, connect } from "./connect.ts";
import { ProducerCore, sizeOf } from "./core.ts";
import { type Attempt, isStored, type Outcome, type Stored } from "./record.ts";
import { DEFAULT_SETTINGS, type ProducerSettings } from "./settings.ts";
import type { Spill } from "./spill/spill.ts";
import type { Figure, Query } from "./statistics.ts";

export type { Attempt, Event, Figure, ProducerSettings, Query, Stored };

/** All settings are optional; see docs/producer.md for their meaning and defaults. */
export interface ProducerOptions extends Partial<ProducerSettings> {
  /** The stream of a record that names none. */
  readonly stream?: string;
  /** Absent: from the environment or the shared configuration. */
  readonly region?: string;
  /** A URL, for an emulator or a private endpoint. */
  readonly endpoint?: string;
  /** Absent: the SDK's default chain. */
  readonly credentials?: readonly CredentialsProvider[];
  /**
   * A directory, of this producer alone, in which records are kept from the put until they are
   * stored. After a crash, the next producer with the directory puts them again.
   */
  readonly spill?: string;
  /** Receives everything that happens: throttling, failures, reshardings. */
  readonly onEvent?: Emit;
}

export interface RecordToPut {
  readonly stream?: string;
  /** 1 to 256 UTF-16 units. */
  readonly partitionKey: string;
  /** A decimal integer from 0 to 2^128-1. */
  readonly explicitHashKey?: string;
  /** Bytes, which are copied; or text, which is stored as UTF-8. */
  readonly data: Uint8Array | string;
}

/** A record that is not stored, and will not be. */
export class RecordFailed extends Error {
  override readonly name = "RecordFailed";
  /** The code, as in the KPL and in Kinesis. */
  readonly code: string;
  readonly attempts: readonly Attempt[];

  constructor(code: string, message: string, attempts: readonly Attempt[]) {
    super(`${code}: ${message}`);
    this.code = code;
    this.attempts = attempts;
  }
}

export class Producer {
  readonly #core: ProducerCore;
  readonly #connection: Connection;
  readonly #stream: string | undefined;
  readonly #spill: Promise<Spill> | undefined;
  #closed: Promise<number> | undefined;

  constructor(options: ProducerOptions = {}) {
    const { stream, region, endpoint, credentials, spill, onEvent = () => {}, ...given } = options;
    if (spill !== undefined && given.onPermanentError === "fail") {
      throw new UserError("With spill, records are never given up: onPermanentError must be wait.");
    }
    const permanent = spill === undefined ? {} : ({ onPermanentError: "wait" } as const);
    const settings = { ...DEFAULT_SETTINGS, ...given, ...permanent };
    const service = {
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      credentials: credentials ?? [{ type: "default" as const }],
    };
    this.#stream = stream;
    this.#connection = connect({
      service,
      requestTimeoutMs: settings.requestTimeout,
      emit: onEvent,
    });
    this.#core = new ProducerCore({
      settings,
      callsOf: this.#connection.callsOf,
      clock: systemClock,
      emit: onEvent,
      ...(spill !== undefined && { spill: { append: (...put) => this.#append(put) } }),
    });
    this.#spill = spill === undefined ? undefined : this.#open(spill, onEvent);
    // Each put reports the failure.
    this.#spill?.catch(() => {});
    if (stream !== undefined) this.#core.prepare(stream);
  }

  /** Records without an outcome. */
  get outstanding(): number {
    return this.#core.outstanding;
  }

  /**
   * Resolves when the record is stored. At `maxInFlightBytes` it waits for room first: a program
   * that does not await each `put` should await `ready` in between.
   *
   * @throws RecordFailed
   */
  async put({ stream = this.#stream, data, ...rest }: RecordToPut): Promise<Stored> {
    if (stream === undefined)
      throw new UserError("The record names no stream, nor does the producer.");
    const bytes = typeof data === "string" || this.#spill ? Buffer.from(data) : data;
    const record = { ...rest, data: bytes };
    await this.#spill;
    if (this.#closed !== undefined) throw new RecordFailed("Closed", "the producer is closed", []);
    const problem = this.#core.problemOf(stream, record);
    if (problem) throw new RecordFailed(problem.errorCode, problem.message, []);
    if (!this.#core.tryRoom(sizeOf(record))) await this.#core.room(sizeOf(record));
    const { stored, settle } = storing();
    this.#core.put(stream, record, settle);
    return stored;
  }

  /** Resolves when there is room for another record. */
  async ready(): Promise<void> {
    await this.#core.room(0);
    this.#core.giveBack(0);
  }

  /**
   * Sends everything that was put before, without waiting for more, and waits for the outcomes.
   *
   * @param timeoutMs the longest wait; none where absent.
   * @returns the number of records without an outcome.
   */
  async flush({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<number> {
    await this.#spill;
    return this.#core.flush(timeoutMs);
  }

  /**
   * Flushes and ends, within `timeoutMs` (`closeTimeoutMillis` where absent). Records that are not
   * stored by then fail with the code `NotStored`.
   *
   * @returns the number of records that failed so.
   */
  close({ timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<number> {
    this.#closed ??= this.#end(timeoutMs);
    return this.#closed;
  }

  /** Figures under the KPL's names. */
  getMetrics(query: Query = {}): Figure[] {
    return this.#core.metrics(query);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(timeoutMs: number | undefined): Promise<number> {
    const spill = await this.#spill?.catch(() => undefined);
    try {
      return await this.#core.close(timeoutMs);
    } finally {
      await spill?.close();
      this.#connection.destroy();
    }
  }

  /** Opens the spill directory, and puts what an earlier run has left in it. */
  async #open(folder: string, emit: Emit): Promise<Spill> {
    const { Spill } = await import("./spill/spill.ts");
    const { spill, left } = await Spill.open(folder, emit);
    for (const record of left) await this.#core.putAgain(record);
    return spill;
  }

  async #append(put: Parameters<Spill["append"]>): ReturnType<Spill["append"]> {
    if (!this.#spill) throw new Error("There is no spill directory.");
    return (await this.#spill).append(...put);
  }
}

/** Apart from `put`: a function made there would keep the user's bytes until the outcome. */
function storing(): { stored: Promise<Stored>; settle: (outcome: Outcome) => void } {
  let settle: (outcome: Outcome) => void = () => {};
  const stored = new Promise<Stored>((resolve, reject) => {
    settle = (outcome) => {
      if (isStored(outcome)) resolve(outcome);
      else reject(new RecordFailed(outcome.errorCode, outcome.message, outcome.attempts));
    };
  });
  return { stored, settle };
}
