// The lease table in DynamoDB: each operation is one request with the condition that keeps leases exclusive.
// The counter is the fencing token: whoever writes names the counter that he has seen, and raises it by one.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../clock.ts";
import type { Position } from "../../model/position.ts";
import { actualOwner, COUNTER_LEAP, hasEnded, type Lease, nextOwner } from "../lease.ts";
import type { LeaseTable, WriteResult } from "../table.ts";
import { isConditionFailed, translate } from "./dynamoErrors.ts";
import { ATTRIBUTES as A, type Item, isForeign, newItem, parseItem } from "./dynamoItem.ts";
import { scanner } from "./dynamoScan.ts";
import { ensureTable, type TableOptions } from "./dynamoSchema.ts";

type UpdateRequest = Parameters<DynamoDB["updateItem"]>[0];

/** An update in expression syntax; `:c` and `:next` are the counter as seen and as written. */
interface Change {
  readonly when: string;
  readonly update: string;
  readonly values?: Item;
}

export function dynamoLeaseTable(
  client: DynamoDB,
  options: TableOptions,
  clock: Clock,
): LeaseTable {
  const TableName = options.tableName;
  const scan = scanner(client, TableName, options.scanSegments);

  async function call<T>(operation: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw translate(operation, TableName, error);
    }
  }

  function conditional(operation: string, request: () => Promise<unknown>): Promise<WriteResult> {
    return call(operation, async () => {
      try {
        await request();
        return "written";
      } catch (error) {
        if (isConditionFailed(error)) return "conflict";
        throw error;
      }
    });
  }

  async function insert(Item: Item, abortSignal: AbortSignal): Promise<"created" | "exists"> {
    const ConditionExpression = `attribute_not_exists(${A.key})`;
    const request = { TableName, Item, ConditionExpression };
    const result = await conditional("PutItem", () => client.putItem(request, { abortSignal }));
    return result === "written" ? "created" : "exists";
  }

  function update(
    shardId: string,
    { when, update, values }: Change,
    abortSignal: AbortSignal,
  ): Promise<WriteResult> {
    const request: UpdateRequest = {
      TableName,
      Key: { [A.key]: { S: shardId } },
      ConditionExpression: when,
      UpdateExpression: update,
      ...(values && { ExpressionAttributeValues: values }),
    };
    return conditional("UpdateItem", () => client.updateItem(request, { abortSignal }));
  }

  return {
    tableName: TableName,

    ensure: (signal, beforeCreate) =>
      call("CreateTable", () => ensureTable(client, options, clock, signal, beforeCreate)),

    scan: (signal) => call("Scan", () => scan(signal)),

    read: (shardId, abortSignal) =>
      call("GetItem", async () => {
        const { Item } = await client.getItem(
          { TableName, Key: { [A.key]: { S: shardId } }, ConsistentRead: true },
          { abortSignal },
        );
        return Item && !isForeign(Item) ? parseItem(Item) : undefined;
      }),

    create: (lease, signal) => insert(newItem(lease), signal),
    putBack: (lease, signal) => {
      const counter = { N: String(lease.counter + COUNTER_LEAP) };
      return insert({ ...newItem(lease), [A.counter]: counter }, signal);
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
    withdrawRequest: (shardId, workerId, signal) =>
      update(
        shardId,
        {
          when: `${A.handoverTo} = :me`,
          update: `REMOVE ${A.handoverTo}, ${A.handoverFrom}`,
          values: { ":me": { S: workerId } },
        },
        signal,
      ),

    noteChildren: (shardId, childShardIds, signal) =>
      update(
        shardId,
        {
          when: `attribute_exists(${A.key})`,
          update: `SET ${A.children} = :children`,
          values: { ":children": { SS: [...childShardIds] } },
        },
        signal,
      ),

    noteHashKeyRange: (shardId, { startingHashKey, endingHashKey }, signal) =>
      update(
        shardId,
        {
          when: `attribute_exists(${A.key})`,
          update: `SET ${A.startingHashKey} = :start, ${A.endingHashKey} = :end`,
          values: { ":start": { S: startingHashKey }, ":end": { S: endingHashKey } },
        },
        signal,
      ),

    delete: (lease, abortSignal) => {
      if (!hasEnded(lease)) throw new Error(`lease ${lease.shardId} has not ended`);
      return conditional("DeleteItem", () =>
        client.deleteItem(
          {
            TableName,
            Key: { [A.key]: { S: lease.shardId } },
            ConditionExpression: `${A.checkpoint} = :end`,
            ExpressionAttributeValues: { ":end": { S: "SHARD_END" } },
          },
          { abortSignal },
        ),
      );
    },
  };
}

/**
 * Java's condition is the counter alone; a stale `checkpointOwner` would make the lease unusable in KCL 3.x. A handover
 * that the leader began meanwhile leaves the counter alone, and is not undone.
 */
function taking(lease: Lease, workerId: string): Change {
  const from = actualOwner(lease);
  const switched = from !== undefined && from !== workerId;
  const inHandover = lease.checkpointOwner !== undefined;
  return {
    when: `${A.counter} = :c${inHandover ? "" : ` AND attribute_not_exists(${A.checkpointOwner})`}`,
    update:
      `SET ${A.owner} = :me, ${A.counter} = :next REMOVE ${A.checkpointOwner}, ${A.handoverTo}, ${A.handoverFrom}` +
      (switched ? ` ADD ${A.switches} :one` : ""),
    values: {
      ...counters(lease),
      ":me": { S: workerId },
      ...(switched && { ":one": { N: "1" } }),
    },
  };
}

/**
 * The condition of whoever holds the lease: besides the counter, handovers are as he knows them. The leader of a 3.x fleet
 * begins one, and a peer asks for one, without a new counter, and neither must go unnoticed.
 */
function asKnown(lease: Lease): Required<Pick<Change, "when" | "values">> {
  const { checkpointOwner, handoverTo } = lease;
  return {
    when: [
      `${A.counter} = :c`,
      ...(checkpointOwner === undefined ? [`attribute_not_exists(${A.checkpointOwner})`] : []),
      handoverTo === undefined
        ? `attribute_not_exists(${A.handoverTo})`
        : `${A.handoverTo} = :handoverTo`,
    ].join(" AND "),
    values: {
      ...counters(lease),
      ...(handoverTo !== undefined && { ":handoverTo": { S: handoverTo } }),
    },
  };
}

/** A write that keeps the lease. Whoever has asked for it learns by it that he was heard. */
function keeping(lease: Lease, sets: readonly string[], written: Item, removes = ""): Change {
  const { when, values } = asKnown(lease);
  const { handoverTo, owner } = lease;
  const answer = handoverTo === undefined || owner === undefined ? undefined : owner;
  const answering = answer === undefined ? [] : [`${A.handoverFrom} = :me`];
  return {
    when,
    update: `SET ${[`${A.counter} = :next`, ...sets, ...answering].join(", ")}${removes}`,
    values: { ...values, ...written, ...(answer !== undefined && { ":me": { S: answer } }) },
  };
}

function renewing(lease: Lease, throughputKBps: number | undefined): Change {
  if (throughputKBps === undefined) return keeping(lease, [], {});
  const throughput = { N: throughputKBps.toFixed(6) };
  return keeping(lease, [`${A.throughput} = :throughput`], { ":throughput": throughput });
}

function checkpointing(lease: Lease, { sequenceNumber, subSequenceNumber }: Position): Change {
  return keeping(
    lease,
    [`${A.checkpoint} = :at`, `${A.subSequence} = :sub`, `${A.switches} = :none`],
    {
      ":at": { S: sequenceNumber },
      ":sub": { N: String(subSequenceNumber) },
      ":none": { N: "0" },
    },
    ` REMOVE ${A.pending}, ${A.pendingSubSequence}, ${A.pendingState}`,
  );
}

function releasing(lease: Lease): Change {
  const { when, values } = asKnown(lease);
  return {
    when,
    update: `SET ${A.counter} = :next REMOVE ${A.owner}, ${A.handoverTo}, ${A.handoverFrom}`,
    values,
  };
}

/** As Java writes it when a handover is complete. */
function handingOver(lease: Lease): Change {
  const to = nextOwner(lease);
  if (to === undefined) throw new Error(`nobody waits for the lease of ${lease.shardId}`);
  const { when, values } = asKnown(lease);
  const by = lease.checkpointOwner;
  return {
    when: by === undefined ? when : `${when} AND ${A.owner} = :to AND ${A.checkpointOwner} = :by`,
    update:
      `SET ${A.owner} = :to, ${A.counter} = :next REMOVE ${A.checkpointOwner}, ${A.handoverTo}, ${A.handoverFrom}` +
      ` ADD ${A.switches} :one`,
    values: {
      ...values,
      ":to": { S: to },
      ":one": { N: "1" },
      ...(by !== undefined && { ":by": { S: by } }),
    },
  };
}

/** A request that nobody heard is replaced: its maker may be dead, and its owner not of our kind. */
function requesting(lease: Lease, workerId: string): Change {
  const { when, values } = asKnown(lease);
  return {
    when: `${when} AND ${A.owner} = :owner`,
    update: `SET ${A.handoverTo} = :asks REMOVE ${A.handoverFrom}`,
    values: {
      ":c": counters(lease)[":c"] ?? { N: "" },
      ...(values[":handoverTo"] && { ":handoverTo": values[":handoverTo"] }),
      ":owner": { S: lease.owner ?? "" },
      ":asks": { S: workerId },
    },
  };
}

function counters({ counter }: Lease): Item {
  return { ":c": { N: String(counter) }, ":next": { N: String(counter + 1) } };
}
