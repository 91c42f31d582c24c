// The workers: each is the real coordinator in a process of its own, on the one table and stream.

import type { Event } from "../../src/events.ts";
import { Coordinator } from "../../src/leases/coordinator.ts";
import type { HeldLease } from "../../src/leases/heldLease.ts";
import { Tenure } from "../../src/leases/tenure.ts";
import type { Shard, ShardFilter } from "../../src/model/shard.ts";
import { consumeVirtually } from "./consumer.ts";
import type { Invariants } from "./invariants.ts";
import { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { Schedule } from "./schedule.ts";
import type { SimStream } from "./stream.ts";
import type { SimTable } from "./table.ts";

export interface Worker {
  readonly workerId: string;
  readonly process: Process;
  readonly stop: AbortController;
  readonly kill: AbortController;
  /** True time when it was asked to stop. */
  stoppingMs: number | undefined;
  ended: boolean;
}

export interface FleetParts {
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly stream: SimStream;
  readonly table: SimTable;
  readonly invariants: Invariants;
  readonly random: Random;
  readonly trace: (who: string, what: string) => void;
}

export class Fleet {
  readonly workers: Worker[] = [];
  readonly counts = new Map<string, number>();
  #born = 0;
  readonly #parts: FleetParts;

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** Those that take part: neither dead nor asked to stop. */
  get active(): readonly Worker[] {
    return this.workers.filter(
      ({ process, stoppingMs }) => !process.dead && stoppingMs === undefined,
    );
  }

  join(workerId?: string): void {
    const { scenario, schedule, random, trace } = this.#parts;
    const rate = 1 + random.between(-scenario.skew, scenario.skew);
    const name = `w${this.#born++}`;
    const process = new Process(name, schedule, rate, random.fork());
    const worker: Worker = {
      workerId: workerId ?? name,
      process,
      stop: new AbortController(),
      kill: new AbortController(),
      stoppingMs: undefined,
      ended: false,
    };
    this.workers.push(worker);
    trace(name, `joins as ${worker.workerId}, clock at ${rate.toFixed(3)}`);
    process.after(0, () => void this.#run(worker));
  }

  /** @param atOnce without waiting for consumers. */
  leave(worker: Worker, atOnce: boolean): void {
    this.#parts.trace(worker.process.name, atOnce ? "is stopped at once" : "is asked to stop");
    worker.stoppingMs = this.#parts.schedule.nowMs;
    worker.process.after(0, () => (atOnce ? worker.kill : worker.stop).abort());
  }

  kill(worker: Worker): void {
    this.#parts.trace(worker.process.name, "is killed");
    worker.process.dead = true;
  }

  async #run(worker: Worker): Promise<void> {
    const { scenario, table, invariants, trace, schedule } = this.#parts;
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
      listShards: (filter) => this.#list(process, filter),
      workerId,
      settings: scenario.settings,
      clock: process,
      emit: (event) => {
        if (event.type === "leaseTaken") {
          taken.set(event.shardId, event.how);
          // All hear when they are asked.
          if (event.how === "stolen") invariants.violated(`${event.shardId} was stolen`);
        }
        this.#heard(process, event);
      },
      consume: (lease) => this.#consume(lease, taken.get(lease.shardId) ?? "", process),
      random: process.random.next,
    });
    try {
      await coordinator.run(worker.stop.signal, worker.kill.signal);
      if (worker.stoppingMs === undefined) invariants.violated(`${process.name} ended unasked`);
    } catch (error) {
      invariants.violated(
        `${process.name} failed: ${error instanceof Error ? error.stack : error}`,
      );
    }
    worker.ended = true;
    process.dead = true;
    trace(process.name, `has ended at ${Math.round(schedule.nowMs)}`);
  }

  async #consume(lease: HeldLease, how: string, process: Process): Promise<void> {
    const { invariants, stream, schedule, scenario } = this.#parts;
    const counter = lease instanceof Tenure ? lease.lease.counter : 0;
    const holding = { shardId: lease.shardId, process, lease, how, counter };
    invariants.held(holding);
    const nowMs = () => schedule.nowMs;
    try {
      await consumeVirtually(lease, { process, stream, invariants, nowMs, pace: scenario.pace });
    } finally {
      invariants.left(holding);
    }
  }

  #list(process: Process, filter: ShardFilter): Promise<readonly Shard[]> {
    const { stream, random, scenario } = this.#parts;
    return new Promise((resolve, reject) => {
      const shards = stream.list(filter);
      process.after(random.between(5, 50), () => {
        if (random.chance(scenario.climate.failed)) reject(new Error("ListShards was throttled"));
        else resolve(shards);
      });
    });
  }

  #heard({ name }: Process, event: Event): void {
    const key = event.type === "leaseTaken" ? `${event.type} (${event.how})` : event.type;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    if (event.type === "leaseRenewed") return;
    const { type, ...facts } = event;
    this.#parts.trace(name, `${type} ${brief(facts)}`);
  }
}

function brief(facts: object): string {
  return JSON.stringify(facts, (_, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
