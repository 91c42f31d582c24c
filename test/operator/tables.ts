// Lease tables for tests, with rows in the form in which the Java daemon 3.5.1 writes them.

import type { AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import { execa } from "execa";
import { never, openClient, openTable } from "../leases/fleet.ts";
import { MAIN } from "../support/daemon.ts";
import { emulatorEnv, uniqueName } from "../support/emulators.ts";

export type StoredItem = Record<string, AttributeValue>;

export interface JavaLease {
  readonly key: string;
  readonly checkpoint?: string;
  readonly sub?: number;
  readonly counter?: number;
  readonly owner?: string;
  readonly checkpointOwner?: string;
  readonly parents?: readonly string[];
  readonly children?: readonly string[];
  readonly range?: readonly [string, string];
}

export const LAST_KEY = "340282366920938463463374607431768211455";

/** A lease as Java 3.5.1 stores it. Version 2.x omits `entityType` and `throughputKBps`. */
export function javaLease(lease: JavaLease, version: "2.x" | "3.x" = "3.x"): StoredItem {
  const { key, checkpoint = "TRIM_HORIZON", sub = 0, counter = 5, range = ["0", LAST_KEY] } = lease;
  return {
    leaseKey: { S: key },
    leaseCounter: { N: String(counter) },
    checkpoint: { S: checkpoint },
    checkpointSubSequenceNumber: { N: String(sub) },
    ownerSwitchesSinceCheckpoint: { N: "0" },
    startingHashKey: { S: range[0] },
    endingHashKey: { S: range[1] },
    ...(lease.owner && { leaseOwner: { S: lease.owner } }),
    ...(lease.checkpointOwner && { checkpointOwner: { S: lease.checkpointOwner } }),
    ...(lease.parents && { parentShardId: { SS: [...lease.parents] } }),
    ...(lease.children && { childShardIds: { SS: [...lease.children] } }),
    ...(version === "3.x" && { entityType: { S: "LEASE" }, throughputKBps: { N: "2.3E-5" } }),
  };
}

/** The rows of a 3.5 fleet in the lease table that are not leases. */
export const FLEET_ROWS: readonly StoredItem[] = [
  {
    leaseKey: { S: "Leader" },
    entityType: { S: "LEADER" },
    ownerName: { S: "workerA" },
    recordVersionNumber: { S: "7a014df3-f8e1-4a64-8030-8e81eb387532" },
    leaseDuration: { S: "120000" },
  },
  {
    leaseKey: { S: "Migration3.0" },
    entityType: { S: "CLIENT_VERSION_MIGRATION" },
    cv: { S: "CLIENT_VERSION_3X" },
    mb: { S: "workerA" },
    mts: { N: "1795446845956" },
    h: { L: [{ M: { cv: { S: "CLIENT_VERSION_INIT" }, mb: { S: "workerA" } } }] },
  },
  {
    leaseKey: { S: "workerA" },
    entityType: { S: "WORKER_METRIC_STATS" },
    sts: { M: {} },
    opr: { M: {} },
    lut: { N: "1795446858" },
    slu: { N: "1795446858" },
    sup: { N: "1" },
  },
];

export interface TableByHand {
  readonly name: string;
  readonly client: DynamoDB;
  put(...items: readonly StoredItem[]): Promise<void>;
  item(key: string): Promise<StoredItem | undefined>;
  /** Increments the counter, as a live worker does. */
  renew(key: string): Promise<void>;
}

export async function tableByHand(
  items: readonly StoredItem[],
  name: string = uniqueName("java"),
): Promise<TableByHand> {
  const client = await openClient();
  await (await openTable(name)).ensure(never);
  const table: TableByHand = {
    name,
    client,
    async put(...more) {
      for (const Item of more) await client.putItem({ TableName: name, Item });
    },
    async item(key) {
      const Key = { leaseKey: { S: key } };
      return (await client.getItem({ TableName: name, Key, ConsistentRead: true })).Item;
    },
    async renew(key) {
      await client.updateItem({
        TableName: name,
        Key: { leaseKey: { S: key } },
        UpdateExpression: "ADD leaseCounter :one",
        ExpressionAttributeValues: { ":one": { N: "1" } },
      });
    },
  };
  await table.put(...items);
  return table;
}

export interface Ended {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program. */
export async function kinesisMultilang(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...args], {
    env: { ...emulatorEnv(), ...env },
    reject: false,
    stdin: "ignore",
  });
  return { exitCode, stdout, stderr };
}
