// The updates of the lease table as expressions: the conditions keep leases exclusive. The counter
// is the fencing token: each writer names the counter that it has seen, and raises it by one.

import type { Position } from "../../model/position.ts";
import type { HashKeyRange } from "../../model/shard.ts";
import { actualOwner, type Lease, nextOwner } from "../lease.ts";
import { ATTRIBUTES as A, type Item } from "./dynamoItem.ts";

/** An update in expression syntax; `:c` and `:next` are the counter as seen and as written. */
export interface Change {
  readonly when: string;
  readonly update: string;
  readonly values?: Item;
}

/**
 * Java's condition is the counter alone. A stale `checkpointOwner` would make the lease unusable in
 * KCL 3.x, so it is removed. A handover that the leader started in the meantime does not change the
 * counter; the second condition prevents this take from undoing it.
 */
export function taking(lease: Lease, workerId: string): Change {
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
 * The condition of the holder's writes: the counter and the handovers are as it knows them. The
 * leader of a 3.x fleet starts a handover, and another worker requests one, without raising the
 * counter; the holder must notice both.
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

/** A write that keeps the lease. It acknowledges a request for the lease. */
function keeping(lease: Lease, sets: readonly string[], written: Item, removes = ""): Change {
  const { when, values } = asKnown(lease);
  const { handoverTo, owner } = lease;
  const acknowledgedBy = handoverTo === undefined || owner === undefined ? undefined : owner;
  const acknowledging = acknowledgedBy === undefined ? [] : [`${A.handoverFrom} = :me`];
  return {
    when,
    update: `SET ${[`${A.counter} = :next`, ...sets, ...acknowledging].join(", ")}${removes}`,
    values: {
      ...values,
      ...written,
      ...(acknowledgedBy !== undefined && { ":me": { S: acknowledgedBy } }),
    },
  };
}

export function renewing(lease: Lease, throughputKBps: number | undefined): Change {
  if (throughputKBps === undefined) return keeping(lease, [], {});
  const throughput = { N: throughputKBps.toFixed(6) };
  return keeping(lease, [`${A.throughput} = :throughput`], { ":throughput": throughput });
}

export function checkpointing(
  lease: Lease,
  { sequenceNumber, subSequenceNumber }: Position,
): Change {
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

export function releasing(lease: Lease): Change {
  const { when, values } = asKnown(lease);
  return {
    when,
    update: `SET ${A.counter} = :next REMOVE ${A.owner}, ${A.handoverTo}, ${A.handoverFrom}`,
    values,
  };
}

/** As Java writes the row when a handover is complete. */
export function handingOver(lease: Lease): Change {
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

/** Replaces an older request, whose maker may be dead. */
export function requesting(lease: Lease, workerId: string): Change {
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

export function withdrawing(workerId: string): Change {
  return {
    when: `${A.handoverTo} = :me`,
    update: `REMOVE ${A.handoverTo}, ${A.handoverFrom}`,
    values: { ":me": { S: workerId } },
  };
}

export function notingChildren(childShardIds: readonly string[]): Change {
  return {
    when: `attribute_exists(${A.key})`,
    update: `SET ${A.children} = :children`,
    values: { ":children": { SS: [...childShardIds] } },
  };
}

export function notingHashKeyRange({ startingHashKey, endingHashKey }: HashKeyRange): Change {
  return {
    when: `attribute_exists(${A.key})`,
    update: `SET ${A.startingHashKey} = :start, ${A.endingHashKey} = :end`,
    values: { ":start": { S: startingHashKey }, ":end": { S: endingHashKey } },
  };
}

function counters({ counter }: Lease): Item {
  return { ":c": { N: String(counter) }, ":next": { N: String(counter + 1) } };
}
