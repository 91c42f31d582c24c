// Every fault that a run may cause, with its weight and with what ends it. A fault that is not
// possible at the moment does not happen: there may be no target, or the stream may have its
// maximum size.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { systemClock } from "../../src/clock.ts";
import type { Fault as CallFault } from "../support/faultProxy.ts";
import type { FaultLog } from "./faultLog.ts";
import type { Member } from "./fleet.ts";
import type { LettersDisk } from "./letters.ts";
import { catches, signal } from "./processes.ts";
import type { Random } from "./random.ts";
import { reshard } from "./shards.ts";

export interface Field {
  readonly fleet: readonly Member[];
  readonly random: Random;
  readonly log: FaultLog;
  readonly disk: LettersDisk;
  readonly client: KinesisClient;
  readonly streamName: string;
  /** Aborted when no more faults are wanted: faults in progress must end now. */
  readonly peace: AbortSignal;
}

export interface Fault {
  readonly name: string;
  readonly weight: number;
  /** Resolves when the fault's direct effect is over. */
  readonly run: (field: Field, name: string) => Promise<void>;
}

export const FAULTS: readonly Fault[] = [
  { name: "child killed", weight: 10, run: killChild },
  { name: "child stopped", weight: 5, run: stopChild },
  { name: "daemon killed", weight: 5, run: (field, name) => endDaemon(field, name, "SIGKILL") },
  {
    name: "daemon asked to end",
    weight: 3,
    run: (field, name) => endDaemon(field, name, "SIGTERM"),
  },
  { name: "daemon stopped", weight: 4, run: stopDaemon },
  { name: "daemon drained", weight: 2, run: drainDaemon },
  { name: "watchdog killed", weight: 1, run: killGuard },
  { name: "reshard", weight: 5, run: changeShards },
  { name: "clock jump", weight: 4, run: jumpClock },
  { name: "disk full", weight: 3, run: fillDisk },
  { name: "DynamoDB outage", weight: 4, run: dynamoOutage },
  { name: "DynamoDB slow", weight: 3, run: (field, name) => slow(field, name, "dynamo") },
  { name: "Kinesis slow", weight: 3, run: (field, name) => slow(field, name, "kinesis") },
  ...spoiltCalls("kinesis", {
    "Kinesis throttled": { type: "error", name: "ProvisionedThroughputExceededException" },
    "Kinesis fails": { type: "error", name: "InternalFailure", status: 500 },
    "iterator expired": { type: "error", name: "ExpiredIteratorException" },
    "Kinesis cut": { type: "cut" },
    "Kinesis cut after": { type: "cutAfter" },
    "Kinesis truncated": { type: "truncate", bytes: 40 },
    "Kinesis corrupted": { type: "corrupt", edit: corrupted },
    "Kinesis answers a page": { type: "answer", body: "<html>Bad gateway</html>" },
  }),
  ...spoiltCalls("dynamo", {
    "DynamoDB throttled": { type: "error", name: "ProvisionedThroughputExceededException" },
    "DynamoDB fails": { type: "error", name: "InternalServerError", status: 500 },
    "DynamoDB cut": { type: "cut" },
    "DynamoDB cut after": { type: "cutAfter" },
    "DynamoDB truncated": { type: "truncate", bytes: 40 },
    "DynamoDB corrupted": { type: "corrupt", edit: corrupted },
  }),
];

/**
 * The result is neither JSON nor CBOR. A change that stayed valid would count as the service's own
 * response.
 */
function corrupted(body: string): string {
  const middle = Math.floor(body.length / 2);
  return `${body.slice(0, middle)}\u0000{"\u0007${body.slice(middle + 1)}`;
}

async function killChild({ fleet, random, log }: Field, name: string): Promise<void> {
  const pid = random.oneOf(fleet.flatMap(({ children }) => children));
  if (pid === undefined) return;
  log.begin(name, { who: "child", pid })();
  // The process alone, or its whole process group.
  signal(random.next() < 0.5 ? pid : -pid, "SIGKILL");
}

async function stopChild({ fleet, random, log, peace }: Field, name: string): Promise<void> {
  const pid = random.oneOf(fleet.flatMap(({ children }) => children));
  if (pid === undefined) return;
  const end = log.begin(name, { who: "child", pid });
  signal(pid, "SIGSTOP");
  await systemClock.sleep(random.between(200, 8_000), peace);
  signal(pid, "SIGCONT");
  end();
}

async function endDaemon(
  { fleet, random, log, peace }: Field,
  name: string,
  how: NodeJS.Signals,
): Promise<void> {
  // The first daemon is never ended, so that its memory can be watched over the whole run.
  const member = random.oneOf(fleet.slice(1).filter(({ isBusy }) => !isBusy));
  if (!member?.pid) return;
  member.isBusy = true;
  const end = log.begin(name, { who: "daemon", worker: member.name, pid: member.pid });
  await member.end(how);
  await systemClock.sleep(random.between(0, 4_000), peace);
  member.start(random.next() < 0.5);
  end();
  member.isBusy = false;
}

async function stopDaemon({ fleet, random, log, peace }: Field, name: string): Promise<void> {
  const member = random.oneOf(fleet.filter(({ isBusy }) => !isBusy));
  if (!member?.pid) return;
  member.isBusy = true;
  const end = log.begin(name, { who: "daemon", worker: member.name, pid: member.pid });
  member.signal("SIGSTOP");
  await systemClock.sleep(random.between(200, 8_000), peace);
  member.signal("SIGCONT");
  end();
  member.isBusy = false;
}

/** Everything is handed over in order, so no record may be delivered twice because of it. */
async function drainDaemon({ fleet, random, log, peace }: Field, name: string): Promise<void> {
  const member = random.oneOf(fleet.filter(({ isBusy }) => !isBusy));
  // Before Node runs any JavaScript, SIGUSR2 ends the process. The pages tell operators so.
  if (!member?.pid || !catches(member.pid, "SIGUSR2")) return;
  member.isBusy = true;
  const end = log.begin(name, { who: "stream" });
  member.signal("SIGUSR2");
  await systemClock.sleep(random.between(200, 6_000), peace);
  member.signal("SIGUSR2");
  end();
  member.isBusy = false;
}

async function killGuard({ fleet, random, log }: Field, name: string): Promise<void> {
  const member = random.oneOf(fleet);
  const pid = member?.guard;
  if (pid === undefined) return;
  log.begin(name, { who: "child", pid })();
  signal(pid, "SIGKILL");
}

async function changeShards({ client, streamName, random, log }: Field, name: string) {
  const done = await reshard(client, streamName, random);
  if (done) log.begin(name, { who: "stream" }, done)();
}

async function jumpClock({ fleet, random, log, peace }: Field, name: string): Promise<void> {
  const member = random.oneOf(fleet);
  if (!member?.canSetClock) return;
  const seconds = Math.round(random.between(-1, 1) * 10 ** random.whole(1, 5));
  const end = log.begin(name, { who: "clock", worker: member.name }, `${seconds} s`);
  member.setClock(seconds);
  await systemClock.sleep(random.between(500, 8_000), peace);
  member.setClock(0);
  end();
}

async function fillDisk({ disk, random, log, peace }: Field, name: string): Promise<void> {
  const end = log.begin(name, { who: "disk" });
  disk.fill();
  await systemClock.sleep(random.between(1_000, 10_000), peace);
  disk.free();
  end();
}

async function dynamoOutage({ fleet, random, log, peace }: Field, name: string): Promise<void> {
  const member = random.oneOf(fleet);
  if (!member) return;
  const error = { type: "error", name: "InternalServerError", status: 500 } as const;
  const end = log.begin(name, { who: "dynamodb", worker: member.name });
  member.dynamo.next("*", random.next() < 0.5 ? { type: "cut" } : error, Number.MAX_SAFE_INTEGER);
  await systemClock.sleep(random.between(500, 8_000), peace);
  member.dynamo.clear();
  end();
}

/** Every call waits until the slowness is over. */
async function slow(
  { fleet, random, log, peace }: Field,
  name: string,
  service: "kinesis" | "dynamo",
): Promise<void> {
  const member = random.oneOf(fleet);
  if (!member) return;
  const who = service === "dynamo" ? "dynamodb" : "kinesis";
  const end = log.begin(name, { who, worker: member.name });
  const until = systemClock.sleep(random.between(200, 5_000), peace);
  member[service].next("*", { type: "delay", until }, random.whole(1, 20));
  await until;
  end();
}

/** Hits the next few calls of one daemon. */
function spoiltCalls(
  service: "kinesis" | "dynamo",
  kinds: Readonly<Record<string, CallFault>>,
): readonly Fault[] {
  const operations = {
    kinesis: ["GetRecords", "GetRecords", "GetShardIterator", "ListShards", "*"],
    dynamo: ["UpdateItem", "UpdateItem", "Scan", "GetItem", "PutItem", "*"],
  }[service];
  const who = service === "dynamo" ? "dynamodb" : "kinesis";
  const run =
    (fault: CallFault) =>
    async ({ fleet, random, log }: Field, name: string) => {
      const member = random.oneOf(fleet);
      const operation =
        fault.type === "error" && fault.name === "ExpiredIteratorException"
          ? "GetRecords"
          : random.oneOf(operations);
      if (!member || !operation) return;
      const times = random.whole(1, 5);
      log.begin(name, { who, worker: member.name }, `${times} of ${operation}`)();
      member[service].next(operation, fault, times);
    };
  return Object.entries(kinds).map(([name, fault]) => ({ name, weight: 2, run: run(fault) }));
}
