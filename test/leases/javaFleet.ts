// Writes what a Java worker in a fleet of KCL 3.5 writes. test/interop tests with a real one.

import type { AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import type { FleetTableNames } from "../../src/leases/kcl3/fleetTables.ts";

type Item = Record<string, AttributeValue>;

export const nowS = () => Math.floor(Date.now() / 1000);

export const clientVersion = (cv: string): Item => ({
  leaseKey: { S: "Migration3.0" },
  entityType: { S: "CLIENT_VERSION_MIGRATION" },
  cv: { S: cv },
  mb: { S: "java" },
  mts: { N: "1795446660327" },
  h: { L: [] },
});

export const leaderLock = (): Item => ({
  leaseKey: { S: "Leader" },
  entityType: { S: "LEADER" },
  ownerName: { S: "java" },
  leaseDuration: { S: "120000" },
  recordVersionNumber: { S: crypto.randomUUID() },
});

export const javaReport = (updatedS = nowS()): Item => ({
  leaseKey: { S: "java" },
  entityType: { S: "WORKER_METRIC_STATS" },
  sts: { M: {} },
  opr: { M: {} },
  lut: { N: String(updatedS) },
  slu: { N: String(updatedS) },
  sup: { N: "1" },
});

/** A lease with an owner or without. */
export const leaseRow = (shardId: string, owner?: string): Item => ({
  leaseKey: { S: shardId },
  entityType: { S: "LEASE" },
  leaseCounter: { N: "0" },
  ...(owner && { leaseOwner: { S: owner } }),
  checkpoint: { S: "TRIM_HORIZON" },
  checkpointSubSequenceNumber: { N: "0" },
  ownerSwitchesSinceCheckpoint: { N: "0" },
});

export class JavaFleet {
  readonly #client: DynamoDB;
  readonly #tableName: string;

  constructor(client: DynamoDB, tableName: string) {
    this.#client = client;
    this.#tableName = tableName;
  }

  get names(): FleetTableNames {
    return {
      tableName: this.#tableName,
      coordinatorStateTableName: `${this.#tableName}-CoordinatorState`,
      workerMetricsTableName: `${this.#tableName}-WorkerMetricStats`,
    };
  }

  put(Item: Item, TableName = this.#tableName) {
    return this.#client.putItem({ TableName, Item });
  }

  async row(leaseKey: string): Promise<Item | undefined> {
    const Key = { leaseKey: { S: leaseKey } };
    const TableName = this.#tableName;
    return (await this.#client.getItem({ TableName, Key, ConsistentRead: true })).Item;
  }

  /** A worker reports, leads, and has noted the version. */
  async begin(updatedS = nowS()): Promise<void> {
    await this.put(clientVersion("CLIENT_VERSION_3X"));
    if (updatedS > nowS() - 60) await this.put(leaderLock());
    await this.put(javaReport(updatedS));
  }

  /** The leader gives a lease to a worker. */
  assign(shardId: string, to: string) {
    return this.#client.updateItem({
      TableName: this.#tableName,
      Key: { leaseKey: { S: shardId } },
      AttributeUpdates: {
        leaseOwner: { Action: "PUT", Value: { S: to } },
        leaseCounter: { Action: "ADD", Value: { N: "1" } },
        checkpointOwner: { Action: "DELETE" },
      },
      Expected: { leaseOwner: { Exists: false }, checkpointOwner: { Exists: false } },
    });
  }

  /** The leader begins to hand a lease over. */
  beginHandover(shardId: string, from: string, to: string) {
    return this.#client.updateItem({
      TableName: this.#tableName,
      Key: { leaseKey: { S: shardId } },
      UpdateExpression: "SET leaseOwner = :to, checkpointOwner = :from",
      ConditionExpression: "leaseOwner = :from AND attribute_not_exists(checkpointOwner)",
      ExpressionAttributeValues: { ":to": { S: to }, ":from": { S: from } },
    });
  }
}
