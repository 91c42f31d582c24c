// A status server over a state that a test fills with events.

import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { DaemonState } from "../../src/listeners/state.ts";
import type { SeenLease } from "../../src/model/events/seenLease.ts";
import type { HttpAddress } from "../../src/model/httpAddress.ts";
import { parsePosition, SHARD_END, TRIM_HORIZON } from "../../src/model/position.ts";
import { openStatus, type ServedApplication, type StatusOptions } from "../../src/status/server.ts";

/** As if the machine had been on for an hour, so that there is a past to fill. */
const HOUR_MS = 3_600_000;
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() + HOUR_MS,
};

export const LOOPBACK: HttpAddress = { type: "tcp", host: "127.0.0.1", port: 0 };

export interface Served {
  readonly state: DaemonState;
  readonly address: HttpAddress;
  /** Of TCP. */
  readonly url: string;
  readonly port: number;
  /** What was asked of the daemon. */
  readonly asked: readonly string[];
  saw(event: Event, agoMs?: number): void;
  close(): Promise<void>;
}

export async function serve(
  options: Partial<StatusOptions & ServedApplication> = {},
): Promise<Served> {
  const state = new DaemonState();
  const asked: string[] = [];
  const server = await openStatus({
    address: LOOPBACK,
    token: undefined,
    allowRemote: false,
    clock,
    setLogLevel: (level, component) =>
      void asked.push(`log level ${[level, component].filter(Boolean).join(" of ")}`),
    applications: [
      {
        name: "count",
        state,
        settings: { failoverTimeMillis: 10_000 },
        actions: {
          drain: () => void asked.push("drain"),
          resume: () => void asked.push("resume"),
          restartChild: (shardId) => asked.push(`restart ${shardId}`) > 0,
        },
        prometheusText: () => "up 1\n",
        ...options,
      },
    ],
    ...options,
  });
  let isOpen = true;
  const close = async () => {
    if (isOpen) await server.close();
    isOpen = false;
  };
  onTestFinished(close);
  const port = server.address.type === "tcp" ? server.address.port : 0;
  return {
    state,
    address: server.address,
    url: `http://127.0.0.1:${port}`,
    port,
    asked,
    close,
    saw: (event, agoMs = 0) => state.saw(event, clock.monotonicMs() - agoMs),
  };
}

export const STARTED = {
  type: "daemonStarted",
  applicationName: "word-count",
  streamName: "words",
  workerId: "6f1f0f3e-7d3a-4a53-9d0e-0a8d0c5a9b11",
  version: "0.1.0",
} as const satisfies Event;

export const idOf = (n: number) => `shardId-${String(n).padStart(12, "0")}`;
const OTHERS = ["2b7e1516-28ae-4d2a-abf7-158809cf4f3c", "java-worker-7"];

/**
 * A quarter of an hour in the life of a stream: this worker holds every second shard, one of the
 * first shards was split, a child fails now and then.
 */
export function fillWithHistory({ saw }: Served, shards: number): void {
  const historyMs = 15 * 60_000;
  saw(STARTED, historyMs);
  const mine = Array.from({ length: shards }, (_, n) => n).filter((n) => n % 2 === 1);
  const rows = Array.from({ length: shards }, (_, n): SeenLease => {
    const owner =
      n % 2 === 1 ? STARTED.workerId : OTHERS[n % OTHERS.length === 0 ? 0 : (n / 2) % 2];
    const parents = n === 1 || n === 3 ? [idOf(0)] : [];
    const row = { shardId: idOf(n), counter: n, parentShardIds: parents };
    if (n === 0) return { ...row, checkpoint: SHARD_END };
    return { ...row, ...(owner && { owner }), checkpoint: TRIM_HORIZON };
  });
  saw({ type: "leasesSeen", leases: rows.length, rows: () => rows }, historyMs);
  for (const n of mine) {
    const shardId = idOf(n);
    saw({ type: "leaseTaken", shardId, how: "unowned" }, historyMs);
    saw({ type: "childStarted", shardId, pid: process.pid, argv: [] }, historyMs);
    saw({ type: "shardStarted", shardId, position: TRIM_HORIZON, elapsedMs: 5 }, historyMs);
  }
  const stepMs = 10_000;
  for (let agoMs = historyMs; agoMs >= 0; agoMs -= stepMs) {
    const t = (historyMs - agoMs) / historyMs;
    for (const n of mine) {
      const wave = Math.sin(t * 9 + n) + Math.sin(t * 31 + n * 3) / 3;
      const records = Math.max(0, Math.round(420 + 300 * wave));
      const burst = Math.exp(-((t - 0.62) ** 2) * 260) * 14_000;
      const millisBehindLatest = Math.max(0, Math.round(320 + 260 * wave + burst));
      const batch = { records, bytes: records * 310, millisBehindLatest, elapsedMs: 12 };
      const position = parsePosition(`4966${n}${Math.round(t * 1e9)}`, 0);
      saw({ type: "batchProcessed", shardId: idOf(n), pid: 1, position, ...batch }, agoMs);
    }
  }
  const later = rows.map((row, n) => (n % 4 === 2 ? row : { ...row, counter: row.counter + 90 }));
  saw({ type: "leasesSeen", leases: rows.length, rows: () => later }, 500);
  fail(saw, idOf(3));
}

function fail(saw: Served["saw"], shardId: string): void {
  const lines = [
    "Traceback (most recent call last):",
    '  File "words.py", line 9',
    "ValueError: cat",
  ];
  const error = Object.assign(new Error(`${shardId}: the child process exited with code 1.`), {
    lastStderr: lines,
  });
  const first = parsePosition("49668", 0);
  const failed = {
    shardId,
    error,
    cause: "exit",
    records: 12,
    first,
    last: first,
    retryInMs: 800,
  } as const;
  for (const line of lines)
    saw({ type: "childOutput", shardId, pid: 1, stream: "stderr", line }, 9_000);
  saw({ type: "childFailed", attempt: 1, next: "restart", ...failed }, 9_000);
  saw(
    { type: "recordsBuried", shardId, records: 2, first, last: first, condition: "attempts" },
    8_000,
  );
  const call = { operation: "GetRecords", scope: "GetRecords", lasting: false } as const;
  const trouble = { ...call, attempt: 1, retryInMs: 300 };
  const throttled = Object.assign(new Error("Rate exceeded for shard."), {
    name: "ProvisionedThroughputExceededException",
  });
  saw({ type: "serviceTrouble", service: "kinesis", shardId, error: throttled, ...trouble }, 4_000);
}
