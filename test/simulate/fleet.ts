// The workers: each is the real coordinator in its own simulated process, on one shared table and
// stream.

import type { Event } from "../../src/events.ts";
import { Coordinator } from "../../src/leases/coordinator.ts";
import type { HeldLease } from "../../src/leases/heldLease.ts";
import { Tenure } from "../../src/leases/holding/tenure.ts";
import type { Shard, ShardFilter } from "../../src/model/shard.ts";
import { consumeVirtually } from "./consumer.ts";
import { Crew, type Stop, type Worker } from "./crew.ts";
import type { Process } from "./process.ts";

export class Fleet extends Crew {
  protected begin(worker: Worker): Stop {
    const stop = new AbortController();
    const kill = new AbortController();
    void this.#run(worker, stop.signal, kill.signal);
    return (atOnce) => (atOnce ? kill : stop).abort();
  }

  async #run(worker: Worker, stop: AbortSignal, kill: AbortSignal): Promise<void> {
    const { scenario, table, invariants, fleetTables } = this.parts;
    const { process, workerId } = worker;
    const taken = new Map<string, string>();
    const own = table.for(process);
    const coordinator = new Coordinator({
      table: {
        ...own,
        requestHandover: (...asked) => {
          invariants.asks(process, scenario.settings.maxLeasesToStealAtOneTime);
          return own.requestHandover(...asked);
        },
      },
      ...(fleetTables && { fleet: fleetTables }),
      streams: [{ listShards: (filter) => this.#list(process, filter) }],
      workerId,
      settings: scenario.settings,
      clock: process,
      emit: (event) => {
        if (event.type === "leaseTaken") {
          taken.set(event.shardId, event.how);
          // All workers support handover requests, so a lease must never be stolen.
          if (event.how === "stolen") invariants.violated(`${event.shardId} was stolen`);
        }
        this.#count(process, event);
      },
      consume: (lease) => this.#consume(lease, taken.get(lease.shardId) ?? "", process),
      random: process.random.next,
    });
    try {
      await coordinator.run(stop, kill);
      if (worker.stoppingMs === undefined) invariants.violated(`${process.name} ended unasked`);
    } catch (error) {
      invariants.violated(
        `${process.name} failed: ${error instanceof Error ? error.stack : error}`,
      );
    }
    this.ended(worker);
  }

  async #consume(lease: HeldLease, how: string, process: Process): Promise<void> {
    const { invariants, stream, schedule, scenario } = this.parts;
    const counter = lease instanceof Tenure ? lease.lease.counter : 0;
    const trusts = () =>
      lease instanceof Tenure &&
      !lease.lost.aborted &&
      process.monotonicMs() < lease.trustedUntilMs;
    const holding = { shardId: lease.shardId, process, how, counter, trusts };
    invariants.held(holding);
    const nowMs = () => schedule.nowMs;
    try {
      await consumeVirtually(lease, { process, stream, invariants, nowMs, pace: scenario.pace });
    } finally {
      invariants.left(holding);
    }
  }

  #list(process: Process, filter: ShardFilter): Promise<readonly Shard[]> {
    const { stream, random, scenario } = this.parts;
    return new Promise((resolve, reject) => {
      const shards = stream.list(filter);
      process.after(random.between(5, 50), () => {
        if (random.chance(scenario.climate.failed)) reject(new Error("ListShards was throttled"));
        else resolve(shards);
      });
    });
  }

  #count({ name }: Process, event: Event): void {
    this.count(event.type === "leaseTaken" ? `${event.type} (${event.how})` : event.type);
    if (event.type === "leaseRenewed") return;
    const { type, ...facts } = event;
    this.parts.trace(name, `${type} ${brief(facts)}`);
  }
}

function brief(facts: object): string {
  return JSON.stringify(facts, (_, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
