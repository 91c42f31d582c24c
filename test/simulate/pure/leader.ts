// The leader of a 3.x fleet. It is not a worker here and never fails. It assigns leases that nobody
// reads, and evens out the leases of live workers. A fleet without a leader is one in which this
// leader finds nothing to do.

import { NOTHING_SEEN, observe } from "../../../src/leases/decisions/observation.ts";
import { actualOwner, hasEnded } from "../../../src/leases/lease.ts";
import type { CrewParts, Worker } from "../crew.ts";
import { Process } from "../process.ts";
import { type RowWrite, writes } from "../rowWrites.ts";

export function lead(parts: CrewParts, active: () => readonly Worker[]): void {
  const { schedule, table, random, scenario } = parts;
  const { failoverTimeMillis, leaseAssignmentIntervalMillis } = scenario.settings;
  const process = new Process("leader", schedule, 1, random.fork());
  let observation = NOTHING_SEEN;

  const send = (shardId: string, write: RowWrite) => {
    const apply = () => table.write(process, shardId, write);
    table.request(process, write.operation, apply, () => {});
  };
  const look = () => {
    process.timer(leaseAssignmentIntervalMillis, look);
    const nowMs = process.monotonicMs();
    const rows = [...table.rows.values()].map(({ lease }) => lease);
    observation = observe(observation, rows, nowMs);
    const shares = new Map(active().map(({ workerId }) => [workerId, 0]));
    if (shares.size === 0) return;
    const work = [...observation.values()].filter(({ lease }) => !hasEnded(lease));
    const add = (owner: string, n: number) => shares.set(owner, (shares.get(owner) ?? 0) + n);
    const least = () => [...shares].reduce((a, b) => (b[1] < a[1] ? b : a))[0];
    const isDead = ({ lease, changedMs }: (typeof work)[number]) =>
      actualOwner(lease) === undefined || nowMs - changedMs > failoverTimeMillis;
    const live = work.filter((seen) => !isDead(seen));
    for (const { lease } of live) if (shares.has(lease.owner ?? "")) add(lease.owner ?? "", 1);
    for (const { lease } of work.filter(isDead)) {
      const to = least();
      add(to, 1);
      send(lease.shardId, writes.assign(lease, to));
    }
    for (const { lease } of live) {
      const { owner = "", checkpointOwner } = lease;
      const to = least();
      if (checkpointOwner !== undefined || !shares.has(owner)) continue;
      if ((shares.get(owner) ?? 0) - (shares.get(to) ?? 0) < 2) continue;
      add(owner, -1);
      add(to, 1);
      send(lease.shardId, writes.begin(lease, to));
    }
  };
  process.timer(leaseAssignmentIntervalMillis, look);
}
