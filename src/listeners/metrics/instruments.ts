// The instruments, and which event changes which of them. Prometheus and OTLP read the same ones.
// docs/operating/metrics.md lists their names; units are those of Prometheus.

import type { Clock } from "../../clock.ts";
import type { Emit, Event, Origin } from "../../events.ts";
import { parseStreamShard } from "../../model/shardKey.ts";
import { LeftShards } from "./leftShards.ts";
import { Present } from "./present.ts";
import { Instruments, type Labels, type Metric, type Values } from "./series.ts";

export const PREFIX = "kinesis_multilang_";

/** From a millisecond to the visibility of a queue: calls, batches and delays. */
const SECONDS_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

export interface Recording {
  /** To be called with every event. */
  readonly saw: Emit;
  readonly read: () => readonly Metric[];
}

export function recordEvents(clock: Clock): Recording {
  const instruments = new Instruments(() => clock.now());
  const counters = countersOf(instruments);
  const histograms = histogramsOf(instruments);
  const present = new Present();
  const left = new LeftShards();
  observePresent(instruments, present);
  beginAtZero(counters);
  return {
    saw(event) {
      present.saw(event);
      left.saw(event, clock.monotonicMs());
      // The tables' type pairs each event with its function, which TypeScript cannot follow through
      // an index.
      COUNTS[event.type]?.(event as never, counters);
      MEASURES[event.type]?.(event as never, histograms);
    },
    read() {
      for (const shard of left.takeLong(clock.monotonicMs())) instruments.forget(of(shard));
      return instruments.read();
    },
  };
}

type Counters = ReturnType<typeof countersOf>;
type Histograms = ReturnType<typeof histogramsOf>;

type Table<Instruments> = {
  readonly [Type in Event["type"]]?: (
    event: Extract<Event, { readonly type: Type }> & Origin,
    instruments: Instruments,
  ) => void;
};

function countersOf(instruments: Instruments) {
  const counter = (name: string, description: string) =>
    instruments.counter(`${PREFIX}${name}`, description);
  return {
    records: counter("records_total", "Records that children have processed."),
    bytes: counter("record_bytes_total", "Bytes of the records that children have processed."),
    batches: counter("batches_total", "Batches that children have processed."),
    checkpoints: counter("checkpoints_total", "Checkpoints that were stored."),
    refused: counter("checkpoints_refused_total", "Checkpoints of children that were refused."),
    starts: counter("child_starts_total", "Children that were started."),
    exits: counter("child_exits_total", "Children that ended, by cause."),
    failures: counter("child_failures_total", "Failures of children, by cause."),
    stuck: counter("shards_stuck_total", "Shards that made no progress in time."),
    taken: counter("leases_taken_total", "Leases that this worker took, by how."),
    lost: counter("leases_lost_total", "Leases that this worker lost."),
    released: counter("leases_released_total", "Leases that this worker released or handed over."),
    letters: counter("dead_letters_total", "Records that were sent to the dead letters."),
    expired: counter("records_expired_total", "Checkpoints whose record had left the stream."),
    received: counter("received_bytes_total", "Bytes of responses with records."),
    held: counter("event_loop_held_total", "Reports that the event loop was blocked."),
  };
}

function histogramsOf(instruments: Instruments) {
  const histogram = (name: string, description: string) =>
    instruments.histogram(`${PREFIX}${name}`, description, SECONDS_BUCKETS);
  return {
    batch: histogram("batch_seconds", "Time in which a child processed a batch."),
    delay: histogram(
      "delivery_delay_seconds",
      "Time from a record's arrival in Kinesis to its delivery, of each batch's first record.",
    ),
    calls: histogram("calls_seconds", "Calls to services, by service, operation and outcome."),
    table: histogram("lease_calls_seconds", "Operations on the lease table, by outcome."),
  };
}

/** The stream is a label where an application reads several. */
function of(key: string): Labels {
  const named = parseStreamShard(key);
  return named ? { stream: named.streamName, shard: named.shardId } : { shard: key };
}

/** What each event counts. An event that is missing counts nothing. */
const COUNTS: Table<Counters> = {
  batchProcessed: (event, counters) => {
    const child = childOf(event);
    counters.records.add(event.records, child);
    counters.bytes.add(event.bytes, child);
    counters.batches.add(1, child);
  },
  checkpointed: ({ shardId }, { checkpoints }) => checkpoints.add(1, of(shardId)),
  checkpointRefused: ({ error }, { refused }) => refused.add(1, { error }),
  childStarted: (event, { starts }) => starts.add(1, childOf(event)),
  childExited: (event, { exits }) => exits.add(1, { cause: exitCause(event) }),
  childFailed: (event, { failures }) =>
    failures.add(1, { ...childOf(event), cause: event.cause, next: event.next }),
  shardStuck: ({ shardId, waitingFor }, { stuck }) =>
    stuck.add(1, { ...of(shardId), waiting_for: waitingFor }),
  leaseTaken: ({ shardId, how }, counters) => {
    counters.taken.add(1, { how });
    shardAtZero(of(shardId), counters);
  },
  leaseLost: (_, { lost }) => lost.add(1),
  leaseReleased: (_, { released }) => released.add(1),
  recordsBuried: ({ records, condition }, { letters }) => letters.add(records, { condition }),
  recordsExpired: ({ shardId }, { expired }) => expired.add(1, of(shardId)),
  eventLoopHeld: ({ endangers }, { held }) => held.add(1, { endangers }),
  serviceCall: ({ bytes = 0 }, { received }) => received.add(bytes),
};

/** The lane is a label only where several children share the shard. */
function childOf({ shardId, lane }: { readonly shardId: string } & Origin): Labels {
  return lane === undefined ? of(shardId) : { ...of(shardId), lane: String(lane) };
}

function exitCause(event: Extract<Event, { readonly type: "childExited" }>): string {
  if (event.expected) return "ended";
  return event.signal ?? (event.exitCode === undefined ? "unknown" : `code ${event.exitCode}`);
}

/** What each event measures. */
const MEASURES: Table<Histograms> = {
  batchProcessed: ({ elapsedMs }, { batch }) => batch.record(elapsedMs / 1000),
  // The clocks of Kinesis and of this machine may differ.
  batchSent: ({ arrivedMs, sentMs }, { delay }) => {
    if (arrivedMs !== undefined) delay.record(Math.max(0, sentMs - arrivedMs) / 1000);
  },
  serviceCall: ({ service, operation, outcome, elapsedMs }, { calls }) =>
    calls.record(elapsedMs / 1000, { service, operation, outcome }),
  leaseCall: ({ operation, outcome, elapsedMs }, { table }) =>
    table.record(elapsedMs / 1000, { operation, outcome }),
};

/** Alerts see no increase from nothing to 1, only from 0 to 1. */
function beginAtZero({ letters, held, lost, released }: Counters): void {
  for (const condition of ["attempts", "age", "hashRange"] as const) letters.add(0, { condition });
  for (const endangers of ["leases", "latency"] as const) held.add(0, { endangers });
  lost.add(0);
  released.add(0);
}

function shardAtZero(shard: Labels, { records, stuck, expired }: Counters): void {
  records.add(0, shard);
  for (const waiting_for of ["records", "child"] as const) stuck.add(0, { ...shard, waiting_for });
  expired.add(0, shard);
}

function observePresent(instruments: Instruments, present: Present): void {
  const observe = (name: string, description: string, values: Values, isTotal = false) =>
    instruments.observe(isTotal ? "counter" : "gauge", `${PREFIX}${name}`, description, values);
  const one = (name: string, description: string, value: () => number | undefined, total = false) =>
    observe(name, description, () => [[value()]], total);
  const children = (value: "cpuMs" | "rssBytes", factor: number): Values =>
    function* () {
      for (const child of present.children.values()) yield [child[value] * factor, childOf(child)];
    };
  observe("lag_seconds", "How far the shard's tip is ahead of what was read.", function* () {
    for (const [shardId, lagMs] of present.lagMs) yield [lagMs / 1000, of(shardId)];
  });
  observe("child_cpu_seconds_total", "CPU time of the child.", children("cpuMs", 1e-3), true);
  observe("child_memory_bytes", "Resident memory of the child.", children("rssBytes", 1));
  one("ready", "1 when the daemon shares the stream's shards.", () => Number(present.isReady));
  one("leases_held", "Leases that this worker holds.", () => present.balance?.held);
  one("leases_target", "Leases that this worker should hold.", () => present.balance?.target);
  one("leases_spillover", "Leases beyond this worker's limit.", () => present.balance?.spillover);
  one("leases", "Leases of shards that have not ended.", () => present.balance?.leases);
  one("leases_unowned", "Leases without an owner.", () => present.balance?.unowned);
  one("leases_expired", "Leases whose owner stopped renewing.", () => present.balance?.expired);
  one("workers", "Live workers of the application.", () => present.balance?.workers);
  const ofDaemon = (value: Exclude<keyof NonNullable<Present["daemon"]>, "type">, factor = 1) => {
    return () => present.daemon && present.daemon[value] * factor;
  };
  one("cpu_seconds_total", "CPU time of the daemon.", ofDaemon("cpuMs", 1e-3), true);
  one("memory_bytes", "Resident memory of the daemon.", ofDaemon("rssBytes"));
  one("heap_bytes", "Used heap of the daemon.", ofDaemon("heapBytes"));
  one("event_loop_busy_ratio", "Busy part of the event loop, 0 to 1.", ofDaemon("loopBusy"));
  one(
    "event_loop_delay_seconds",
    "How late the latest sleep of the last seconds ended.",
    ofDaemon("loopDelayMs", 1e-3),
  );
  one("buffered_bytes", "Records fetched and not yet delivered.", ofDaemon("bufferedBytes"));
  one("buffer_limit_bytes", "The most buffered bytes.", ofDaemon("bufferLimitBytes"));
}
