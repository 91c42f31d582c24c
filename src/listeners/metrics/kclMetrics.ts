// What KCL's metrics are, event by event: its names, units, levels and dimensions, so that existing
// dashboards and alarms go on working. docs/operating/metrics.md compares them with Java's.

import type { Event } from "../../events.ts";
import type { LeaseOperation } from "../../model/events/callEvent.ts";
import { isSentinel } from "../../model/position.ts";
import { parseStreamShard } from "../../model/shardKey.ts";
import type { Datum, Dimensions, Level, Unit } from "./statistics.ts";

type Add = (datum: Datum) => void;
type Of<Type extends Event["type"]> = Extract<Event, { readonly type: Type }>;
/** Adds values of one operation. */
type Scope = (name: string, value: number, unit?: Unit, level?: Level) => void;

/** Where the values of an event go. */
interface Scopes {
  /** Java's task for the event's shard. */
  readonly task: Scope;
  readonly of: (operation: string) => Scope;
  readonly ofWorker: (operation: string) => Scope;
}

/** What each event adds. An event that is missing adds nothing. */
type Table = {
  readonly [Type in Event["type"]]?: (event: Of<Type>, scopes: Scopes) => void;
};

/** @returns a listener that adds the values of each event. */
export function kclMetrics(add: Add): (event: Event) => void {
  let worker = "";
  // Each set of dimensions is made once, because this is done for every response.
  const scopes = new Map<string, Scope>();
  const scope = (key: string, dimensions: () => Dimensions): Scope => {
    const known = scopes.get(key);
    if (known) return known;
    const made = scopeOf(add, dimensions());
    scopes.set(key, made);
    return made;
  };
  const of = (Operation: string) => scope(Operation, () => ({ Operation }));
  const ofWorker = (Operation: string) =>
    scope(`worker ${Operation}`, () => ({ Operation, WorkerIdentifier: worker }));
  return (event) => {
    if (event.type === "daemonStarted") worker = event.workerId;
    const ShardId = "shardId" in event ? event.shardId : undefined;
    const Operation = "ProcessTask";
    const task =
      ShardId === undefined
        ? of(Operation)
        : scope(`shard ${ShardId}`, () => ({ Operation, ...dimensionsOf(ShardId) }));
    if (event.type === "leaseReleased") scopes.delete(`shard ${event.shardId}`);
    // The table's type pairs each event with its function, which TypeScript cannot follow through
    // an index.
    TABLE[event.type]?.(event as never, { task, of, ofWorker });
  };
}

/** The stream is a dimension in multi-stream mode only. */
function dimensionsOf(shardId: string): Dimensions {
  const named = parseStreamShard(shardId);
  return named ? { StreamId: named.streamId, ShardId: named.shardId } : { ShardId: shardId };
}

function scopeOf(add: Add, dimensions: Dimensions): Scope {
  return (name, value, unit = "Count", level = "summary") =>
    add({ name, unit, level, dimensions, value });
}

const TABLE: Table = {
  fetched,
  batchSent: (event, scopes) => {
    scopes.task("RecordsProcessed", event.records);
    behind(event, scopes);
  },
  batchProcessed: ({ elapsedMs }, { task }) => {
    task("RecordProcessor.processRecords.Time", elapsedMs, "Milliseconds");
    successAndTime(task, "", true, elapsedMs, "summary");
  },
  childFailed: ({ records }, { task }) => {
    if (records > 0) task("Success", 0);
  },
  serviceCall: fetchCall,
  iteratorExpired: (_, { of }) => of("ProcessTask")("ExpiredIterator", 1),
  shardStarted: ({ elapsedMs }, { of }) =>
    of("InitializeTask")("RecordProcessor.initialize.Time", elapsedMs, "Milliseconds"),
  shardStopped: ({ elapsedMs }, { of }) =>
    of("ShutdownTask")("RecordProcessor.shutdown.Time", elapsedMs, "Milliseconds"),
  daemonReady: (_, { of }) => of("Scheduler:Initialize")("Initialize.Success", 1),
  leaseBalance,
  leaseTaken: (_, { ofWorker }) => ofWorker("TakeLeases")("TakenLeases", 1),
  leaseLost: (_, { ofWorker }) => ofWorker("RenewAllLeases")("LostLeases", 1),
  leaseCreated: ({ checkpoint: { sequenceNumber } }, { of }) => {
    const at = isSentinel(sequenceNumber) ? sequenceNumber : "SEQUENCE_NUMBER";
    of("ShardSyncTask")(`CreateLease_${at}.Success`, 1, "Count", "detailed");
  },
  shardsSynced: (_, { of }) => of("ShardSyncTask")("SyncShards.Success", 1, "Count", "detailed"),
  leaseCall,
};

/** Java's task runs for each response, so a response without records is a pass with zeros. */
function fetched(event: Of<"fetched">, scopes: Scopes): void {
  const { task } = scopes;
  task("DataBytesProcessed", event.payloadBytes, "Bytes");
  if (event.records > 0) return;
  task("RecordsProcessed", 0);
  behind(event, scopes);
  successAndTime(task, "", true, 0, "summary");
}

function behind(
  { millisBehindLatest }: { readonly millisBehindLatest: number | undefined },
  { task, of }: Scopes,
): void {
  if (millisBehindLatest === undefined) return;
  for (const add of [task, of("ApplicationTracker")])
    add("MillisBehindLatest", millisBehindLatest, "Milliseconds");
}

function fetchCall(event: Of<"serviceCall">, { task }: Scopes): void {
  const { operation, outcome, elapsedMs } = event;
  if (operation !== "GetRecords" && operation !== "GetShardIterator") return;
  if (outcome === "aborted") return;
  const name = operation === "GetRecords" ? "getRecords" : "getShardIterator";
  successAndTime(task, `KinesisDataFetcher.${name}.`, outcome === "ok", elapsedMs, "detailed");
}

function leaseBalance(event: Of<"leaseBalance">, { of, ofWorker }: Scopes): void {
  const { leases, workers, expired, spillover, held, target = held } = event;
  const take = ofWorker("TakeLeases");
  for (const add of [take, of("LeaseAssignmentManager")]) {
    add("TotalLeases", leases, "Count", add === take ? "detailed" : "summary");
    add("NumWorkers", workers);
    add("ExpiredLeases", expired);
    add("LeaseSpillover", spillover);
  }
  take("TakenLeases", 0);
  take("UntakenLeases", event.unowned);
  take("VeryOldLeases", event.neglected);
  take("NeededLeases", Math.max(0, target - held), "Count", "detailed");
  take("LeasesToTake", event.taking, "Count", "detailed");
  const renew = ofWorker("RenewAllLeases");
  renew("CurrentLeases", held);
  renew("LostLeases", 0);
}

/** As in Java, a lost race is no failure. */
function leaseCall(event: Of<"leaseCall">, { task, of, ofWorker }: Scopes): void {
  const { operation, outcome, elapsedMs } = event;
  if (outcome === "aborted") return;
  const isSuccess = outcome !== "failed";
  const call = (add: Scope, name: string) =>
    successAndTime(add, `${name}.`, isSuccess, elapsedMs, "detailed");
  if (operation === "checkpoint") call(task, "UpdateLease");
  if (operation === "create") call(of("ShardSyncTask"), "CreateLease");
  const loop = LOOPS[operation];
  if (!loop) return;
  const add = ofWorker(loop.operation);
  call(add, loop.call);
  successAndTime(add, "", isSuccess, elapsedMs, "summary");
}

/** Java's loops make these calls, and measure each loop as a whole, too. */
const LOOPS: Readonly<
  Partial<Record<LeaseOperation, { readonly operation: string; readonly call: string }>>
> = {
  scan: { operation: "TakeLeases", call: "ListLeases" },
  take: { operation: "TakeLeases", call: "TakeLease" },
  renew: { operation: "RenewAllLeases", call: "RenewLease" },
};

function successAndTime(
  add: Scope,
  prefix: string,
  isSuccess: boolean,
  elapsedMs: number,
  level: Level,
): void {
  add(`${prefix}Success`, isSuccess ? 1 : 0, "Count", level);
  add(`${prefix}Time`, elapsedMs, "Milliseconds", level);
}
