// Ends a run: repairs everything, waits for the remaining records and stops the daemons. Afterwards
// no process and no held lease may be left.

import { DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { systemClock } from "../../src/clock.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import { nowMs } from "./faultLog.ts";
import type { Member } from "./fleet.ts";
import { readJournals } from "./journal.ts";
import type { LettersDisk } from "./letters.ts";
import { processesWith } from "./processes.ts";
import type { PutRecord } from "./putter.ts";

interface Ending {
  readonly fleet: readonly Member[];
  readonly journal: string;
  readonly disk: LettersDisk;
  readonly ledger: readonly PutRecord[];
  readonly dynamoUrl: string;
  readonly id: string;
}

/** How long the remaining records may take to arrive without faults. */
const ARRIVAL_LIMIT_MS = 90_000;
/** How long a process may take to end. */
const GONE_LIMIT_MS = 10_000;
const LOOK_EVERY_MS = 1_000;

/** @returns the problems found. */
export async function endFleet({ fleet, journal, disk, ledger, dynamoUrl, id }: Ending) {
  const problems = fleet.flatMap(({ surprises }) => surprises.map((each) => `ENDED: ${each}`));
  await within(ARRIVAL_LIMIT_MS, async () => {
    const lives = await readJournals(journal);
    const name = ({ key, n }: { readonly key: string; readonly n: number }) => `${key} ${n}`;
    const seen = new Set(lives.flatMap(({ deliveries }) => deliveries.map(name)));
    const deadLettered = new Set(disk.read().map(name));
    return ledger.every((put) => (put.poison ? deadLettered : seen).has(name(put)));
  });
  for (const member of fleet) {
    const how = await member.end("SIGTERM");
    if (how !== "exit code 0") problems.push(`ENDING: ${member.name} ended with ${how}`);
  }
  const left = () => processesWith(`CHAOS_RUN=${id}`);
  if (!(await within(GONE_LIMIT_MS, async () => left().length === 0))) {
    problems.push(`LEFT: processes ${left().join(", ")} outlived their daemons`);
  }
  return [...problems, ...(await heldLeases(dynamoUrl, id))];
}

async function within(limitMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  const untilMs = nowMs() + limitMs;
  while (!(await holds())) {
    if (nowMs() > untilMs) return false;
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  return true;
}

async function heldLeases(endpoint: string, TableName: string): Promise<readonly string[]> {
  const client = new DynamoDBClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  });
  const { Items } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  client.destroy();
  return (Items ?? []).flatMap(({ leaseKey, leaseOwner, checkpoint }) =>
    leaseOwner?.S && checkpoint?.S !== "SHARD_END"
      ? [`HELD: ${leaseKey?.S} is still held by ${leaseOwner.S}`]
      : [],
  );
}
