// The updates of the lease table: the conditions keep leases exclusive. The counter is the fencing
// token: each writer names the counter that it has seen, and raises it by one.

import type { Position } from "../../model/position.ts";
import type { HashKeyRange } from "../../model/shard.ts";
import { actualOwner, type Lease, nextOwner } from "../lease.ts";
import { ATTRIBUTES as A, type Item, plainIds } from "./dynamoItem.ts";
import type { Change, Conditions } from "./rowStore.ts";

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
    when: { ...asSeen(lease), ...(!inHandover && { [A.checkpointOwner]: "absent" }) },
    set: { [A.owner]: { S: workerId }, ...raised(lease) },
    remove: [A.checkpointOwner, A.handoverTo, A.handoverFrom],
    ...(switched && { increment: [A.switches] }),
  };
}

/**
 * The condition of the holder's writes: the counter and the handovers are as it knows them. The
 * leader of a 3.x fleet starts a handover, and another worker requests one, without raising the
 * counter; the holder must notice both.
 */
function asKnown(lease: Lease): Conditions {
  const { checkpointOwner, handoverTo } = lease;
  return {
    ...asSeen(lease),
    ...(checkpointOwner === undefined && { [A.checkpointOwner]: "absent" }),
    [A.handoverTo]: handoverTo === undefined ? "absent" : { S: handoverTo },
  };
}

/** A write that keeps the lease. It acknowledges a request for the lease. */
function keeping(lease: Lease, set: Item): Change {
  const { handoverTo, owner } = lease;
  const acknowledges = handoverTo !== undefined && owner !== undefined;
  return {
    when: asKnown(lease),
    set: { ...raised(lease), ...set, ...(acknowledges && { [A.handoverFrom]: { S: owner } }) },
  };
}

export function renewing(lease: Lease, throughputKBps: number | undefined): Change {
  const throughput =
    throughputKBps === undefined ? {} : { [A.throughput]: { N: throughputKBps.toFixed(6) } };
  return { ...keeping(lease, throughput), isHeartbeat: true };
}

export function checkpointing(
  lease: Lease,
  { sequenceNumber, subSequenceNumber }: Position,
): Change {
  const at = {
    [A.checkpoint]: { S: sequenceNumber },
    [A.subSequence]: { N: String(subSequenceNumber) },
    [A.switches]: { N: "0" },
  };
  return {
    ...keeping(lease, at),
    remove: [A.pending, A.pendingSubSequence, A.pendingState],
  };
}

export function releasing(lease: Lease): Change {
  return {
    when: asKnown(lease),
    set: raised(lease),
    remove: [A.owner, A.handoverTo, A.handoverFrom],
  };
}

/** As Java writes the row when a handover is complete. */
export function handingOver(lease: Lease): Change {
  const to = nextOwner(lease);
  if (to === undefined) throw new Error(`nobody waits for the lease of ${lease.shardId}`);
  const by = lease.checkpointOwner;
  const started = by === undefined ? {} : { [A.owner]: { S: to }, [A.checkpointOwner]: { S: by } };
  return {
    when: { ...asKnown(lease), ...started },
    set: { [A.owner]: { S: to }, ...raised(lease) },
    remove: [A.checkpointOwner, A.handoverTo, A.handoverFrom],
    increment: [A.switches],
  };
}

/** Replaces an older request, whose maker may be dead. */
export function requesting(lease: Lease, workerId: string): Change {
  return {
    when: { ...asKnown(lease), [A.owner]: { S: lease.owner ?? "" } },
    set: { [A.handoverTo]: { S: workerId } },
    remove: [A.handoverFrom],
  };
}

export function withdrawing(workerId: string): Change {
  return {
    when: { [A.handoverTo]: { S: workerId } },
    remove: [A.handoverTo, A.handoverFrom],
  };
}

export function notingChildren(childShardIds: readonly string[]): Change {
  return {
    when: { [A.key]: "present" },
    set: { [A.children]: plainIds(childShardIds) },
  };
}

export function notingHashKeyRange({ startingHashKey, endingHashKey }: HashKeyRange): Change {
  return {
    when: { [A.key]: "present" },
    set: { [A.startingHashKey]: { S: startingHashKey }, [A.endingHashKey]: { S: endingHashKey } },
  };
}

/** Nobody has written to the lease since it was read. */
export function asSeen({ counter }: Pick<Lease, "counter">): Conditions {
  return { [A.counter]: { N: String(counter) } };
}

/** The counter after this write. */
export function raised({ counter }: Pick<Lease, "counter">): Item {
  return { [A.counter]: { N: String(counter + 1) } };
}
