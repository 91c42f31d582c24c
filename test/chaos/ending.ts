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
/** Longer than the time between two renewals of a lease. */
const LOOK_EVERY_MS = 2_000;

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
  const client = dynamoClient(dynamoUrl);
  await within(ARRIVAL_LIMIT_MS, renewed(client, id));
  for (const member of fleet) {
    const how = await member.end("SIGTERM");
    if (how !== "exit code 0") problems.push(`ENDING: ${member.name} ended with ${how}`);
  }
  const left = () => processesWith(`CHAOS_RUN=${id}`);
  if (!(await within(GONE_LIMIT_MS, async () => left().length === 0))) {
    problems.push(`LEFT: processes ${left().join(", ")} outlived their daemons`);
  }
  problems.push(...(await heldLeases(client, id)));
  client.destroy();
  return problems;
}

/**
 * @returns whether every open shard's lease was renewed since the call before. A daemon that has
 *   lost a lease in the last fault does not release it, so it must take it again before it stops.
 */
function renewed(client: DynamoDBClient, table: string): () => Promise<boolean> {
  let before: ReadonlyMap<string, string> | undefined;
  return async () => {
    const rows = await openLeases(client, table);
    const counters = new Map(
      rows.map(({ leaseKey, leaseCounter }) => [leaseKey?.S ?? "", leaseCounter?.N ?? ""]),
    );
    const seen = before;
    before = counters;
    return (
      seen !== undefined && [...counters].every(([key, n]) => seen.has(key) && seen.get(key) !== n)
    );
  };
}

async function within(limitMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  const untilMs = nowMs() + limitMs;
  while (!(await holds())) {
    if (nowMs() > untilMs) return false;
    await systemClock.sleep(LOOK_EVERY_MS);
  }
  return true;
}

async function heldLeases(client: DynamoDBClient, table: string): Promise<readonly string[]> {
  const rows = await openLeases(client, table);
  return rows.flatMap(({ leaseKey, leaseOwner }) =>
    leaseOwner?.S ? [`HELD: ${leaseKey?.S} is still held by ${leaseOwner.S}`] : [],
  );
}

/** The rows of shards that are not read to their end. */
async function openLeases(client: DynamoDBClient, TableName: string) {
  const { Items = [] } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
  return Items.filter(({ checkpoint }) => checkpoint !== undefined && checkpoint.S !== "SHARD_END");
}

function dynamoClient(endpoint: string): DynamoDBClient {
  return new DynamoDBClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  });
}
