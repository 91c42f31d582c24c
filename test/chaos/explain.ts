// Explains why a record may have been delivered again: how its previous child ended, and which
// faults the child had. With lanes, a fault of one child may repeat the records of the others: what
// is stored is the position before which all of them have checkpointed.

import type { FaultEntry } from "./faultLog.ts";
import type { Life } from "./journal.ts";

/** How long a fault may have effects: a lease expires, peers take it, or a back-off ends. */
const AFTERMATH_MS = 15_000;
/** How long leases may be redistributed after a worker has joined or left. */
const SHARING_MS = 30_000;

/**
 * Two processors received the same record. The elder is the one that had a fault, even if the
 * younger was faster, because the younger started at the elder's last checkpoint.
 *
 * @returns the name of the cause, or `undefined` if there is none.
 */
export function explain(
  one: Life,
  other: Life,
  againMs: number,
  faults: readonly FaultEntry[],
  lives: readonly Life[],
): string | undefined {
  // One process must never receive the same record twice.
  if (one === other) return undefined;
  const before = one.startedMs < other.startedMs ? one : other;
  // The child ended in order, with a checkpoint at the end: its successor has no reason to start
  // earlier.
  if (before.lane === undefined && endedInOrder(before)) return undefined;
  const family = familyOf(before, lives);
  // The most recent fault counts first.
  const during = faults
    .filter(
      ({ fromMs, untilMs }) =>
        fromMs <= againMs && (untilMs ?? againMs) + AFTERMATH_MS >= before.startedMs,
    )
    .toReversed();
  return (
    during.find(
      ({ target }) => target.who === "child" && family.some(({ pid }) => pid === target.pid),
    )?.name ??
    during.find(({ target }) => target.who === "daemon" && target.pid === before.daemonPid)?.name ??
    during.find(
      ({ target }) => target.who === "dynamodb" && target.worker === before.worker.split(".")[0],
    )?.name ??
    (family.some(diedOfPoison) ? "poison" : undefined) ??
    (family.some(lostItsLease) ? sharedAnew(againMs, faults) : undefined)
  );
}

/** The child, or all children of its shard's lanes under the same daemon. */
function familyOf(life: Life, lives: readonly Life[]): readonly Life[] {
  if (life.lane === undefined) return [life];
  const { shardId, daemonPid } = life;
  return lives.filter((other) => other.shardId === shardId && other.daemonPid === daemonPid);
}

function endedInOrder({ received, checkpoints, deliveries, ended }: Life): boolean {
  const last = checkpoints.at(-1);
  const lastDelivery = deliveries.at(-1);
  return (
    ended &&
    (received[0] === "shutdownRequested" || received[0] === "shardEnded") &&
    last?.error === null &&
    last.askedMs >= (lastDelivery?.atMs ?? 0)
  );
}

const diedOfPoison = (life: Life) => !life.ended && life.deliveries.at(-1)?.poison === true;

/** It received leaseLost, or a checkpoint was refused for that reason. */
const lostItsLease = ({ received, checkpoints }: Life) =>
  received[0] === "leaseLost" || checkpoints.some(({ error }) => error === "ShutdownException");

/** A worker joined, left, or was unreachable for long enough to count as dead. */
function sharedAnew(againMs: number, faults: readonly FaultEntry[]): string | undefined {
  const recent = faults.find(
    ({ target, fromMs, untilMs }) =>
      (target.who === "daemon" || target.who === "dynamodb" || target.who === "stream") &&
      fromMs <= againMs &&
      (untilMs ?? againMs) + SHARING_MS >= againMs,
  );
  return recent && "leases shared out anew";
}
