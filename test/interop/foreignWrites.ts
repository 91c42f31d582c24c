// Judges the writes to leases that the witnesses saw. Pure.

import { isBefore } from "../chaos/places.ts";
import type { LeaseWrite } from "./writeWitness.ts";

/**
 * A checkpoint raises its lease's counter, and so does every change of the owner but one: a leader that begins a handover,
 * and a peer that asks for one, leave it. So the history of a lease is in the order of its counters, and a tenure is
 * what lies between two owners.
 *
 * @returns what should not be: a checkpoint by somebody who was not the owner, two checkpoints under one counter, a
 *   checkpoint that went back.
 */
export function findForeignWrites(writes: readonly LeaseWrite[]): readonly string[] {
  const leases = new Set(writes.map(({ leaseKey }) => leaseKey));
  return [...leases].flatMap((leaseKey) => {
    const history = writes
      .filter((write) => write.leaseKey === leaseKey)
      .toSorted((a, b) => a.counter - b.counter);
    return history.flatMap((write, index) => {
      const before = history[index - 1];
      return before && write.checkpoint !== before.checkpoint ? judge(before, write) : [];
    });
  });
}

/** @param write moved the checkpoint. */
function judge(before: LeaseWrite, write: LeaseWrite): readonly string[] {
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
