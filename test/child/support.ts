// Starts the children of test/fixtures/children, records the events, and ends every child with its
// test.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect } from "vitest";
import { ChildFailed } from "../../src/child/childFailed.ts";
import type { AnswerCheckpoint, RecordProcessor } from "../../src/child/recordProcessor.ts";
import { type ProcessorOptions, startProcessor } from "../../src/child/startProcessor.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { RecordBatch } from "../../src/model/batch.ts";
import type { Position } from "../../src/model/position.ts";

export const SHARD = "shardId-000000000007";

export const START: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/children/${name}`, import.meta.url));
}

/** A record with a sequence number and, where size matters, a payload of `dataBytes` bytes. */
export function record(sequenceNumber: number | string, dataBytes = 5): string {
  const data = Buffer.alloc(dataBytes, "hello").toString("base64");
  return `{"data":"${data}","partitionKey":"pk","sequenceNumber":"${sequenceNumber}","approximateArrivalTimestamp":1700000000123,"subSequenceNumber":0,"action":"record"}`;
}

export function batchOf(records: readonly string[]): RecordBatch {
  const starts = [0];
  for (const text of records) starts.push((starts.at(-1) ?? 0) + Buffer.byteLength(text) + 1);
  const json = Buffer.from(records.join(","));
  return new RecordBatch([{ json, starts: Uint32Array.from(starts) }]);
}

export class Events {
  readonly all: Event[] = [];
  readonly #waiting = new Set<() => void>();

  readonly emit = (event: Event): void => {
    this.all.push(event);
    for (const look of [...this.#waiting]) look();
  };

  of<Type extends Event["type"]>(type: Type): Extract<Event, { type: Type }>[] {
    return this.all.filter((event): event is Extract<Event, { type: Type }> => event.type === type);
  }

  /** The lines of one stream of the child. */
  lines(stream: "stdout" | "stderr"): string[] {
    return this.of("childOutput").flatMap((event) => (event.stream === stream ? [event.line] : []));
  }

  /** Resolves when `sought` finds something in the events. */
  async until<T>(sought: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = sought();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
  }
}

/** A clock that only the test advances. */
export class HandClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  now = (): number => this.#nowMs;
  monotonicMs = (): number => this.#nowMs;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = {
        untilMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake);
      if (signal?.aborted) sleeper.wake();
    });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.untilMs <= this.#nowMs) sleeper.wake();
  }
}

const started: RecordProcessor[] = [];

afterEach(async () => {
  for (const processor of started.splice(0)) {
    processor.kill();
    await processor.exited;
  }
});

type Overrides = Partial<ProcessorOptions> & { readonly answer?: AnswerCheckpoint };

export function starter(file: string, args: readonly string[], overrides: Overrides = {}) {
  const events = new Events();
  const { answer = async () => {}, ...options } = overrides;
  const start = startProcessor({
    command: { file, args },
    workerId: "worker-1",
    closeGraceMs: 5_000,
    terminateGraceMs: 5_000,
    clock: systemClock,
    emit: events.emit,
    ...options,
  });
  return { events, start: (attempt?: number) => start(SHARD, answer, attempt) };
}

/** Starts `test/fixtures/children/<name>` under this Node or under Python. */
export async function startChild(
  name: string,
  args: readonly (string | number)[] = [],
  overrides: Overrides = {},
): Promise<{ processor: RecordProcessor; events: Events }> {
  const program = name.endsWith(".py") ? "python3" : process.execPath;
  const { events, start } = starter(program, [fixture(name), ...args.map(String)], overrides);
  const processor = await start(3);
  started.push(processor);
  return { processor, events };
}

export async function failureOf(action: Promise<unknown>): Promise<ChildFailed> {
  const error = await action.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ChildFailed);
  return error as ChildFailed;
}

/** Whether a process runs. A zombie counts as ended. */
export function isRunning(pid: number): boolean {
  if (!existsSync("/proc/self/stat")) return isThere(pid);
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(file, "utf8"));
  } catch {
    return false;
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
