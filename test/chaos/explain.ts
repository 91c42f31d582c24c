// Why a record may have been delivered again: what became of the child that had it before, and what was done to it.

import type { FaultEntry } from "./faultLog.ts";
import type { Life } from "./journal.ts";

/** How long after a fault its consequences may still be felt: a lease expires, peers take, the person's back-off ends. */
const AFTERMATH_MS = 15_000;
/** After a worker has come or gone, leases are shared out anew for so long. */
const SHARING_MS = 30_000;

/**
 * Of two processors that had the same record the elder is the one that something has happened to, even where the
 * younger was faster: it began where the elder's last checkpoint was.
 *
 * @returns the name of the cause; `undefined` when there is none.
 */
export function explain(
  one: Life,
  other: Life,
  againMs: number,
  faults: readonly FaultEntry[],
): string | undefined {
  // Nobody may be given the same record twice.
  if (one === other) return undefined;
  const before = one.startedMs < other.startedMs ? one : other;
  // A farewell in order, and a checkpoint at its end: whoever comes next has no reason to begin earlier.
  if (partedInOrder(before)) return undefined;
  // The last that was done to it before counts first.
  const during = faults
    .filter(
      ({ fromMs, untilMs }) =>
        fromMs <= againMs && (untilMs ?? againMs) + AFTERMATH_MS >= before.startedMs,
    )
    .toReversed();
  return (
    during.find(({ target }) => target.who === "child" && target.pid === before.pid)?.name ??
    during.find(({ target }) => target.who === "daemon" && target.pid === before.daemonPid)?.name ??
    during.find(
      ({ target }) => target.who === "dynamodb" && target.worker === before.worker.split(".")[0],
    )?.name ??
    (diedOfPoison(before) ? "poison" : undefined) ??
    (lostItsLease(before) ? sharedAnew(againMs, faults) : undefined)
  );
}

function partedInOrder({ told, checkpoints, deliveries, ended }: Life): boolean {
  const last = checkpoints.at(-1);
  const lastDelivery = deliveries.at(-1);
  return (
    ended &&
    (told[0] === "shutdownRequested" || told[0] === "shardEnded") &&
    last?.error === null &&
    last.askedMs >= (lastDelivery?.atMs ?? 0)
  );
}

const diedOfPoison = (life: Life) => !life.ended && life.deliveries.at(-1)?.poison === true;

/** It was told so, or a checkpoint of its was refused for that reason. */
const lostItsLease = ({ told, checkpoints }: Life) =>
  told[0] === "leaseLost" || checkpoints.some(({ error }) => error === "ShutdownException");

/** Somebody came, went, or was out of reach for long enough to be taken for dead. */
function sharedAnew(againMs: number, faults: readonly FaultEntry[]): string | undefined {
  const recent = faults.find(
    ({ target, fromMs, untilMs }) =>
      (target.who === "daemon" || target.who === "dynamodb" || target.who === "stream") &&
      fromMs <= againMs &&
      (untilMs ?? againMs) + SHARING_MS >= againMs,
  );
  return recent && "leases shared out anew";
}
