// How each event reads in the log, and how loud it is. A new event that has no line here does not compile.

import type { Event } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { formatPosition, type Position } from "../model/position.ts";
import { counted } from "../plural.ts";

export type Level = "trace" | "debug" | "info" | "warn" | "error";

type EventOf<Type extends Event["type"]> = Extract<Event, { type: Type }>;
type Line<Type extends Event["type"]> = readonly [
  level: Level | ((event: EventOf<Type>) => Level),
  message: (event: EventOf<Type>) => string,
];

const LINES: { readonly [Type in Event["type"]]: Line<Type> } = {
  daemonStarted: [
    "info",
    (e) =>
      `kinesis-multilang ${e.version}: "${e.applicationName}" reads stream "${e.streamName}" as worker ${e.workerId}`,
  ],
  stopRequested: ["info", (e) => `${e.reason}: stopping within ${e.graceMs} ms`],
  graceExceeded: [
    "warn",
    (e) => `the grace period of ${e.graceMs} ms is nearly over: children still at work are ended`,
  ],
  daemonFailed: [
    "error",
    (e) =>
      `fatal: ${fatal(e.error)} The other shards stop${e.graceMs === undefined ? "" : ` within ${e.graceMs} ms`}, then the daemon ends with exit code 1`,
  ],
  daemonStopped: [
    (e) => (e.goodbyesMissed > 0 ? "warn" : "info"),
    (e) =>
      `stopped, exit code ${e.exitCode}${e.goodbyesMissed > 0 ? `. Children that failed in place of saying goodbye: ${e.goodbyesMissed}. What they had not checkpointed is processed again; "childFailed" above shows why they failed` : ""}`,
  ],
  drainRequested: ["info", (e) => `${e.reason}: giving up all leases, and taking none`],
  drained: ["info", () => "drained: no lease is held, and none taken until the next SIGUSR2"],
  resumed: ["info", (e) => `${e.reason}: taking leases again`],
  configWarning: ["warn", (e) => e.message],
  configNotice: ["info", (e) => e.message],
  waitingForStream: ["warn", (e) => `waiting for the stream: ${e.message}`],
  eventLoopHeld: [
    "warn",
    (e) =>
      `the event loop was held up for ${e.longestMs} ms (99 % of ${Math.round(e.periodMs / 1000)} s: at most ${e.p99Ms} ms): ${HELD_MEANS[e.endangers]}. Give this process more CPU, or start another worker for part of its shards`,
  ],
  serviceTrouble: [
    "warn",
    (e) =>
      `${e.service} ${e.operation} failed (${e.attempt} in a row, again in ${Math.round(e.retryInMs)} ms): ${reason(e.error)}`,
  ],
  serviceRecovered: [
    "info",
    (e) => `${e.service} ${e.operation} works again after ${counted(e.attempts, "failure")}`,
  ],
  credentialsRenewed: [
    "info",
    (e) =>
      `AWS refused the credentials (${e.why}): they were read again, and the new ones are used`,
  ],
  credentialsTrouble: [
    "warn",
    (e) =>
      `the credentials cannot be renewed: ${reason(e.error)} ${e.validForMs > 0 ? `The old ones are valid for ${Math.round(e.validForMs / 1000)} s` : "AWS refuses the old ones"}; new ones are used as soon as they are found`,
  ],
  leaseTableCreated: ["info", (e) => `created the lease table "${e.tableName}"`],
  leaseCreated: ["info", (e) => `lease created at ${formatPosition(e.checkpoint)}`],
  leaseTaken: ["info", (e) => `lease taken (${e.how}${e.from ? ` from ${e.from}` : ""})`],
  leaseRenewed: ["trace", () => "lease renewed"],
  leaseLost: ["warn", (e) => `lease lost: ${e.reason}`],
  leaseReleased: [
    "info",
    (e) => (e.to === undefined ? "lease released" : `lease handed over to ${e.to}`),
  ],
  handoverRequested: [
    "info",
    (e) => `${e.to} is to have the lease: it is handed over when the batch is finished`,
  ],
  leaseDeleted: ["info", (e) => `lease deleted: ${e.reason}`],
  leasesBeyondLimit: [
    "warn",
    (e) =>
      `no worker reads ${some(e.shardIds)}: this one holds as many leases as maxLeasesForWorker = ${e.maxLeasesForWorker} allows, and no other takes them. Raise maxLeasesForWorker, or start another worker`,
  ],
  leasesContradicted: ["error", (e) => e.message],
  shardsUnread: [
    "error",
    (e) =>
      `nobody reads the hash keys from ${e.fromHashKey} to ${e.toHashKey}, and no lease could be created for them: ${
        e.shardIds.length > 0
          ? `look for a damaged or wrong row of ${e.shardIds.join(", ")} in the lease table; delete it, and its lease is created anew (kinesis-multilang doctor says what is wrong with it)`
          : "the stream lists no open shard that has them; is it being resharded, made or deleted?"
      }`,
  ],
  fleetModeChosen: ["info", (e) => `coordination: ${e.found}; ${conduct(e)}`],
  discoveryChosen: [
    (e) => (e.by === "index" ? "info" : "warn"),
    (e) =>
      e.by === "index"
        ? "leases assigned to this worker are found by the index of owners"
        : `leases assigned to this worker are found by scans of the whole table, which cost more: ${e.why}`,
  ],
  shardsSynced: [
    "info",
    (e) => `${counted(e.shards, "shard")} listed, ${counted(e.created, "lease")} created`,
  ],
  fetched: ["trace", (e) => `fetched ${counted(e.records, "record")}, ${counted(e.bytes, "byte")}`],
  iteratorExpired: ["info", () => "the shard iterator expired and is replaced"],
  recordsExpired: [
    "error",
    (e) =>
      `the record of the checkpoint ${formatPosition(e.checkpoint)} is no longer in the stream: reading goes on at ${formatPosition(e.first)}, and records between them that retention has deleted are lost. Longer retention: aws kinesis increase-stream-retention-period`,
  ],
  shardExpired: [
    "error",
    () =>
      "the shard is no longer in the stream, with all its records: what had not been read of it by the end of its retention is lost. Longer retention: aws kinesis increase-stream-retention-period",
  ],
  fanoutConsumerFound: [
    "info",
    (e) =>
      `the enhanced fan-out consumer ${e.consumerName} is active${e.registered ? "; it was registered now, and stays when this worker ends" : ""}: ${e.arn}`,
  ],
  fanoutEmulated: [
    "warn",
    (e) =>
      `this Kinesis is an emulator (AWS has no account as in ${e.arn}). In kinesis-mock, which is also inside of LocalStack, fan-out never reports the children of a shard: one that was split or merged never ends. Set retrievalMode = POLLING`,
  ],
  fanoutRefused: [
    "warn",
    (e) => `${reason(e.error)} retrievalMode is AUTO: the stream is polled instead`,
  ],
  subscribed: ["debug", () => "subscribed"],
  readingThrottledByBudget: [
    "warn",
    (e) =>
      `${counted(e.shardIds.length, "shard")} ${e.shardIds.length === 1 ? "falls" : "fall"} behind, for ${Math.round(e.forMs / 1000)} s now, because ${e.limitBytes === undefined ? "the records of all shards fill the 256 MiB that they may" : `maxBufferedBytes = ${e.limitBytes} holds less than is written to them between two calls`}: ${e.shardIds.join(", ")}. Set maxBufferedBytes = ${e.enoughBytes}, ${e.limitBytes === undefined ? "" : "remove it, "}or start another worker for part of the shards`,
  ],
  aggregateMalformed: [
    "error",
    (e) =>
      `the aggregated record ${e.sequenceNumber} is damaged (${e.reason}): ${e.delivered} of its records are delivered, the others are lost to every consumer`,
  ],
  aggregateMisplaced: [
    "error",
    (e) =>
      `the aggregated record ${e.sequenceNumber} holds a record of another shard's hash key, so none of its user records (${e.records} in all) is delivered, as in KCL; ${
        e.kept ? "they go to the dead letters" : "onFailureDestination would keep them"
      }, and aggregateHashRangeCheck = deliver would deliver them`,
  ],
  childStarted: ["info", (e) => `child ${e.pid} started: ${e.argv.join(" ")}`],
  waitingForAttachment: [
    "info",
    (e) =>
      `waiting for a processor to connect to ${e.address}${e.before > 0 ? `, after ${counted(e.before, "other shard")}: one is attached at a time` : ""}`,
  ],
  attached: ["info", (e) => `a processor has connected to ${e.address}; no timeout applies to it`],
  detached: [
    (e) => (e.expected ? "info" : "warn"),
    (e) =>
      `the processor at ${e.address} has hung up${e.expected ? "" : " without being asked to"}`,
  ],
  childOutput: ["info", (e) => `child ${e.pid} ${e.stream}: ${e.line}`],
  childLog: [(e) => e.level, (e) => `child ${e.pid}: ${e.message}`],
  protocolWarning: ["warn", (e) => `child ${e.pid}: ${e.message}`],
  dialectChanged: [
    "warn",
    (e) =>
      e.sign === "checkpoint"
        ? `the child calls the sequence number of a checkpoint "checkpoint", as clients of KCL 1.x do: ${DIALECT[e.to]}`
        : `the child failed at "${e.sign}", a message that its version of KCL may not have: ${DIALECT[e.to]}`,
  ],
  answerOwed: [
    "warn",
    (e) =>
      `child ${e.pid} has not answered "${e.action}" for ${Math.round(e.elapsedMs / 1000)} s, and its shard waits. If it hangs, end it (kill ${e.pid}): another child goes on after the last checkpoint. With timeoutInSeconds or progressTimeoutSeconds the daemon does so itself`,
  ],
  checkpointTrouble: ["error", (e) => `child ${e.pid}: its checkpoint failed: ${reason(e.error)}`],
  childExited: [
    (e) => (e.expected ? "info" : "warn"),
    (e) => `child ${e.pid} ${exit(e)}${e.expected ? "" : " without being asked to"}`,
  ],
  childOutputDropped: [
    "warn",
    (e) =>
      `child ${e.pid} ${e.stream}: and ${counted(e.lines, "more line")}, written too fast to be logged`,
  ],
  watchdogEnded: [
    "warn",
    (e) =>
      `the watchdog that ends the children should this process be killed has ended (${e.reason}): ${
        e.replaced ? "a new one takes its place" : "children may outlive a daemon that is killed"
      }`,
  ],
  waitingForParents: ["info", () => "waiting for the parent shards to be finished"],
  shardStarted: ["info", (e) => `reading from ${formatPosition(e.position)}`],
  batchProcessed: [
    "debug",
    (e) => `${counted(e.records, "record")} processed in ${Math.round(e.elapsedMs)} ms`,
  ],
  checkpointed: ["debug", (e) => `checkpoint at ${formatPosition(e.position)}`],
  checkpointRefused: ["warn", (e) => `checkpoint refused with ${e.error}: ${e.message}`],
  childFailed: [
    (e) => (e.next === "stop" ? "warn" : "error"),
    (e) => `${e.error.message}\n${inHand(e)}${NEXT[e.next]}${inSeconds(e.retryInMs)}`,
  ],
  shardStuck: [
    "error",
    (e) =>
      `${e.waitingFor === "records" ? "no records and no news came from the stream" : "the child did not answer, wrote nothing and used no CPU time"} for ${Math.round(e.quietMs / 1000)} s: ${STEPS[e.step]}`,
  ],
  childSlow: [
    "warn",
    (e) =>
      `child ${e.pid} is at it for ${Math.round(e.elapsedMs / 1000)} s and shows signs of life: it is left alone`,
  ],
  recordsBuried: [
    "error",
    (e) =>
      `${counted(e.records, "record")} that ${e.condition === "hashRange" ? "the shard does not hold" : "no child could process"} went to the dead letters (${e.condition}): ${range(e)}`,
  ],
  destinationTrouble: [
    "error",
    (e) =>
      `dead letters are not safe yet and the shard waits (${counted(e.attempt, "failure")}, again in ${Math.round(e.retryInMs)} ms): ${reason(e.error)}`,
  ],
  shardStopped: ["info", (e) => `stopped reading: ${e.reason}`],
};

/** The level and the sentence of an event. */
export function describe(event: Event): { readonly level: Level; readonly message: string } {
  // Type and line belong together by the table's own type, which TypeScript cannot follow through an index.
  const [level, message] = LINES[event.type] as Line<Event["type"]>;
  return {
    level: typeof level === "function" ? level(event) : level,
    message: message(event),
  };
}

const NEXT = {
  restart: "A new child goes on after the last checkpoint",
  releaseLease: "The lease is given to another worker",
  exit: "The daemon ends",
  stop: "The shard is stopping anyway",
} as const;

function conduct({ version, led }: { readonly version: string; readonly led: boolean }): string {
  if (version === "2x") return "leases are shared as in KCL 2.x";
  return led
    ? "the leader assigns the leases"
    : "no Java worker is alive, so the leases are shared among ourselves until one returns";
}

const HELD_MEANS = {
  leases: "a renewal of leases came too late, and the next such delay may cost them",
  latency: "records come later to the children than they could",
} as const;

const STEPS = {
  restartFetcher: "reading begins anew",
  restartChild: "the child is replaced",
  releaseLease: "the lease is given to another worker",
} as const;

const DIALECT = {
  kcl1:
    "from now on, children receive the last messages of KCL 1.x. " +
    "Set childDialect = kcl1 to begin with them, or kcl2 if that is wrong",
  kcl2: "from now on, children receive the last messages of KCL 2.x. Set childDialect = kcl2 to keep to them",
} as const;

/** The first of many names, and how many there are. */
function some(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN).join(", ");
  return names.length > NAMES_SHOWN ? `${shown} and ${names.length - NAMES_SHOWN} more` : shown;
}

const NAMES_SHOWN = 5;

function inHand(event: EventOf<"childFailed">): string {
  return event.records > 0
    ? `It had ${counted(event.records, "record")} in hand, ${range(event)}. `
    : "";
}

function range({
  first,
  last,
}: {
  readonly first?: Position | undefined;
  readonly last?: Position | undefined;
}) {
  return `${first ? formatPosition(first) : "?"} to ${last ? formatPosition(last) : "?"}`;
}

function inSeconds(ms: number | undefined): string {
  return ms ? `, in ${(ms / 1000).toFixed(1)} s.` : ".";
}

function exit(event: { readonly exitCode?: number; readonly signal?: string }): string {
  return event.signal ? `was ended by ${event.signal}` : `exited with code ${event.exitCode}`;
}

/** What ends the daemon, and what to do about it. */
function fatal(error: unknown): string {
  if (error instanceof UserError) return error.message;
  if (error instanceof Error && CHILDS_FAILURES.includes(error.name)) {
    const [what = ""] = error.message.split("\n", 1);
    return `${what} ("childFailed" above has the rest). With onChildFailure = restart the child is replaced instead.`;
  }
  return `${reason(error)}. This is a fault of kinesis-multilang: please report it with the stack that follows at the end.`;
}

/** What ends the daemon only where onChildFailure says so. */
const CHILDS_FAILURES: readonly string[] = ["ChildFailed", "ShardEndNotCheckpointed"];

function reason(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
