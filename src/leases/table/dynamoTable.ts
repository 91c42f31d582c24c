// The lease table in DynamoDB. Each operation is one request; leaseChanges.ts has the conditions
// that keep leases exclusive.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { itemUpdates } from "../../aws/dynamoClient.ts";
import type { Clock } from "../../clock.ts";
import { COUNTER_LEAP, hasEnded, type Lease } from "../lease.ts";
import type { LeaseTable, WriteResult } from "../table.ts";
import { call, conditional, insert } from "./dynamoCalls.ts";
import { ATTRIBUTES as A, isForeign, newItem, parseItem } from "./dynamoItem.ts";
import { scanner } from "./dynamoScan.ts";
import { ensureTable, type TableOptions } from "./dynamoSchema.ts";
import {
  type Change,
  checkpointing,
  handingOver,
  notingChildren,
  notingHashKeyRange,
  releasing,
  renewing,
  requesting,
  taking,
  withdrawing,
} from "./leaseChanges.ts";

export function dynamoLeaseTable(
  client: DynamoDB,
  options: TableOptions,
  clock: Clock,
): LeaseTable {
  const { tableName: TableName } = options;
  const scan = scanner(client, TableName, options.scanSegments);
  const updates = itemUpdates(client);

  function update(
    shardId: string,
    { when, update, values }: Change,
    abortSignal: AbortSignal,
  ): Promise<WriteResult> {
    const request = {
      TableName,
      Key: { [A.key]: { S: shardId } },
      ConditionExpression: when,
      UpdateExpression: update,
      ...(values && { ExpressionAttributeValues: values }),
    };
    return conditional("UpdateItem", TableName, () => updates.send(request, abortSignal));
  }

  return {
    tableName: TableName,

    ensure: (signal, beforeCreate) =>
      call("CreateTable", TableName, () =>
        ensureTable(client, options, clock, signal, beforeCreate),
      ),

    scan: (signal) => call("Scan", TableName, () => scan(signal)),
    read: (shardId, signal) => readLease(client, TableName, shardId, signal),

    create: (lease, signal) => insert(client, TableName, newItem(lease), signal),
    putBack: (lease, signal) => {
      const counter = { N: String(lease.counter + COUNTER_LEAP) };
      return insert(client, TableName, { ...newItem(lease), [A.counter]: counter }, signal);
    },

    take: (lease, workerId, signal) => update(lease.shardId, taking(lease, workerId), signal),
    renew: (lease, signal, throughputKBps) =>
      update(lease.shardId, renewing(lease, throughputKBps), signal),
    checkpoint: (lease, position, signal) =>
      update(lease.shardId, checkpointing(lease, position), signal),
    release: (lease, signal) => update(lease.shardId, releasing(lease), signal),
    handOver: (lease, signal) => update(lease.shardId, handingOver(lease), signal),
    requestHandover: (lease, workerId, signal) =>
      update(lease.shardId, requesting(lease, workerId), signal),
    withdrawRequest: (shardId, workerId, signal) => update(shardId, withdrawing(workerId), signal),
    noteChildren: (shardId, childShardIds, signal) =>
      update(shardId, notingChildren(childShardIds), signal),
    noteHashKeyRange: (shardId, range, signal) =>
      update(shardId, notingHashKeyRange(range), signal),

    delete: (lease, signal) => deleteLease(client, TableName, lease, signal),
  };
}

function readLease(
  client: DynamoDB,
  TableName: string,
  shardId: string,
  abortSignal: AbortSignal,
): Promise<Lease | undefined> {
  return call("GetItem", TableName, async () => {
    const request = { TableName, Key: { [A.key]: { S: shardId } }, ConsistentRead: true };
    const { Item } = await client.getItem(request, { abortSignal });
    return Item && !isForeign(Item) ? parseItem(Item) : undefined;
  });
}

function deleteLease(
  client: DynamoDB,
  TableName: string,
  lease: Lease,
  abortSignal: AbortSignal,
): Promise<WriteResult> {
  if (!hasEnded(lease)) throw new Error(`lease ${lease.shardId} has not ended`);
  const request = {
    TableName,
    Key: { [A.key]: { S: lease.shardId } },
    ConditionExpression: `${A.checkpoint} = :end`,
    ExpressionAttributeValues: { ":end": { S: "SHARD_END" } },
  };
  return conditional("DeleteItem", TableName, () => client.deleteItem(request, { abortSignal }));
}
