// Plays the child's part of a transcript against the real consumer and a real child process. Every
// line of the daemon must arrive exactly as written, and every event must have the effect that it
// describes.

import { expect } from "vitest";
import { ChildFailed } from "../../src/child/childFailed.ts";
import { ChildDialect } from "../../src/child/dialect.ts";
import { startProcessor } from "../../src/child/startProcessor.ts";
import { systemClock } from "../../src/clock.ts";
import type { Batch } from "../../src/model/batch.ts";
import { batchOf } from "../../src/model/batch.ts";
import type { CheckpointErrorName } from "../../src/model/errors.ts";
import { parsePosition } from "../../src/model/position.ts";
import { ShardEndNotCheckpointed } from "../../src/shard/endings.ts";
import type { ReadShard } from "../../src/stream/reader.ts";
import {
  lineOf,
  type Step,
  type Transcript,
  type TranscriptEvent,
} from "../../src/transcript/transcript.ts";
import { consumeOnce, failingCheckpoints } from "../../src/try/consumeOnce.ts";
import { MemoryLease } from "../../src/try/memoryLease.ts";
import { Events } from "../child/support.ts";
import { Strings } from "./puppet.ts";

export async function playDaemon(transcript: Transcript): Promise<void> {
  const strings = await Strings.hold();
  const stage = new Stage(transcript, strings);
  try {
    for (const step of transcript.steps) await stage.perform(step);
    await stage.end();
  } finally {
    await stage.close();
    await strings.release();
  }
}

interface InitializeFields {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

class Stage {
  readonly #events = new Events();
  readonly #strings: Strings;
  readonly #lease: MemoryLease;
  readonly #batches = new Queue<Batch>();
  readonly #consumed: Promise<unknown>;
  readonly #failures: CheckpointErrorName[] = [];
  #failed = false;

  constructor(transcript: Transcript, strings: Strings) {
    this.#strings = strings;
    this.#lease = leaseFor(transcript);
    const { emit } = this.#events;
    const start = startProcessor({
      command: strings.command,
      workerId: "test",
      dialect: new ChildDialect(transcript.dialect),
      closeGraceMs: 10_000,
      terminateGraceMs: 10_000,
      clock: systemClock,
      emit,
    });
    this.#consumed = consumeOnce(
      this.#lease,
      {
        read: this.#read,
        startProcessor: failingCheckpoints(start, this.#failures, emit),
        clock: systemClock,
        emit,
      },
      { callProcessRecordsEvenForEmptyRecordList: transcript.steps.some(isEmptyBatch) },
    ).catch((error: unknown) => error);
  }

  readonly #read: ReadShard = (_shard, _from, signal) => this.#batches.until(signal);

  async perform(step: Step): Promise<void> {
    switch (step.from) {
      case "daemon":
        return this.#expectFromDaemon(step);
      case "child":
        return this.#strings.send({ say: lineOf(step) });
      case "event":
        return this.#happen(step.event);
    }
  }

  async end(): Promise<void> {
    const error = await this.#consumed;
    if (this.#failed) return;
    expect(error).toBeUndefined();
  }

  /** Ends the child and the consumer in any case. */
  async close(): Promise<void> {
    for (const { pid } of this.#events.of("childStarted")) {
      if (this.#events.of("childExited").every((exited) => exited.pid !== pid)) {
        this.#lease.lose();
        process.kill(-pid, "SIGKILL");
      }
    }
    await this.#consumed;
  }

  async #expectFromDaemon(step: Step): Promise<void> {
    const expected = lineOf(step);
    const message = JSON.parse(expected) as { action: string; millisBehindLatest?: number | null };
    if (message.action === "processRecords") this.#batches.put(batchIn(expected));
    const heard = await this.#strings.readLine();
    // A diff of 16 MiB would be useless.
    if (expected.length > 100_000) expect(heard === expected).toBe(true);
    else expect(heard).toBe(expected);
  }

  async #happen(event: TranscriptEvent): Promise<void> {
    switch (event.type) {
      case "lease lost":
        return this.#lease.lose();
      case "stop requested":
        return this.#lease.requestStop();
      case "shard ended":
        return this.#batches.put({
          records: batchOf([]),
          millisBehindLatest: undefined,
          shardEnd: { children: [] },
        });
      case "checkpoint fails":
        this.#failures.push(event.text as CheckpointErrorName);
        return;
      case "stored":
        expect(storedText(this.#lease)).toBe(event.text);
        return;
      case "child fails": {
        await this.#strings.send({ leave: true });
        const error = await this.#consumed;
        expect([ChildFailed, ShardEndNotCheckpointed]).toContain(error?.constructor);
        this.#failed = true;
        return;
      }
      case "stderr":
        await this.#strings.send({ warn: event.text });
        await this.#events.until(() => this.#events.lines("stderr").includes(event.text));
        return;
      case "log":
        await this.#events.until(() =>
          this.#events.of("childLog").some((log) => `${log.level} ${log.message}` === event.text),
        );
        return;
      case "stdin closes":
        expect(await this.#strings.readLine()).toBeNull();
        return;
      case "stdout closes":
        return this.#strings.send({ hangUp: true });
      case "child exits": {
        await this.#strings.send({ exit: Number(event.text) });
        const exited = await this.#events.until(() => this.#events.of("childExited")[0]);
        expect(exited.exitCode).toBe(Number(event.text));
        return;
      }
    }
  }
}

function leaseFor({ steps }: Transcript): MemoryLease {
  const line = steps.find((step) => step.from === "daemon");
  const fallback = { shardId: "shardId-000000000000", sequenceNumber: "TRIM_HORIZON" };
  const fields = {
    ...fallback,
    subSequenceNumber: 0,
    ...(line && (JSON.parse(lineOf(line)) as InitializeFields)),
  };
  const position = parsePosition(fields.sequenceNumber, fields.subSequenceNumber);
  if (!position) throw new Error(`no position: ${fields.sequenceNumber}`);
  return new MemoryLease(fields.shardId, position);
}

/** The batch for which a daemon writes this line, read without decoding its records. */
function batchIn(line: string): Batch {
  const { records, millisBehindLatest } = JSON.parse(line) as {
    records: unknown[];
    millisBehindLatest: number | null;
  };
  return {
    records: batchOf(
      records.map((record) => JSON.stringify(record).replace(/[\u2028\u2029]/g, escaped)),
    ),
    millisBehindLatest: millisBehindLatest ?? undefined,
  };
}

function isEmptyBatch(step: Step): boolean {
  return step.from === "daemon" && step.text.includes('"records":[]');
}

function escaped(separator: string): string {
  return `\\u${separator.charCodeAt(0).toString(16)}`;
}

function storedText({ stored }: MemoryLease): string {
  return `${stored.sequenceNumber} ${stored.subSequenceNumber}`;
}

/** What the shard delivers, when the transcript reaches it. */
class Queue<T> {
  readonly #items: T[] = [];
  #wake = (): void => {};

  put(item: T): void {
    this.#items.push(item);
    this.#wake();
  }

  async *until(signal: AbortSignal): AsyncGenerator<T, void, void> {
    signal.addEventListener("abort", () => this.#wake());
    while (!signal.aborted) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
