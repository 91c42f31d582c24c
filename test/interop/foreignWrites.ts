// Checks the recorded writes to leases. Pure.

import { isBefore } from "../chaos/places.ts";
import type { LeaseWrite } from "./writeWitness.ts";

/**
 * A checkpoint raises the lease's counter. So does every change of the owner, except when a leader
 * begins a handover or a peer requests one. The order of the counters is therefore the history of
 * the lease, and a tenure lies between two changes of the owner.
 *
 * @returns the errors: a checkpoint by a worker that was not the owner, two checkpoints under one
 *   counter, a checkpoint that went back.
 */
export function findForeignWrites(writes: readonly LeaseWrite[]): readonly string[] {
  const leases = new Set(writes.map(({ leaseKey }) => leaseKey));
  return [...leases].flatMap((leaseKey) => {
    const history = writes
      .filter((write) => write.leaseKey === leaseKey)
      .toSorted((a, b) => a.counter - b.counter);
    return history.flatMap((write, index) => {
      const before = history[index - 1];
      return before && write.checkpoint !== before.checkpoint ? findErrors(before, write) : [];
    });
  });
}

/** @param write the write that moved the checkpoint. */
function findErrors(before: LeaseWrite, write: LeaseWrite): readonly string[] {
  const { writer, leaseKey, counter, checkpoint } = write;
  const what = `${writer} wrote ${checkpoint} to ${leaseKey} at ${counter}`;
  if (before.counter === counter) return [`TWICE: ${what}, and ${before.writer} another`];
  const owner = before.checkpointOwner ?? before.owner;
  return [
    ...(owner !== undefined && owner !== writer
      ? [`FOREIGN: ${what}, in the tenure of ${owner}`]
      : []),
    ...(isBefore(checkpoint, before.checkpoint)
      ? [`BACK: ${what}, after ${before.checkpoint}`]
      : []),
  ];
}
