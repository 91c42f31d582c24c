// The workers of a run, of either kind: real coordinators (fleet.ts), or only their decisions
// (pure/).

import type { FleetTables } from "../../src/leases/kcl3/fleetTables.ts";
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
  /** True time when it was asked to stop. */
  stoppingMs: number | undefined;
  ended: boolean;
}

export interface CrewParts {
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly stream: SimStream;
  readonly table: SimTable;
  readonly invariants: Invariants;
  readonly random: Random;
  readonly trace: (who: string, what: string) => void;
  /** The tables of a KCL 3.x fleet. */
  readonly fleetTables?: FleetTables;
}

/** @param atOnce stop without waiting for consumers. */
export type Stop = (atOnce: boolean) => void;

export abstract class Crew {
  readonly workers: Worker[] = [];
  /** How often each operation was done. */
  readonly counts = new Map<string, number>();
  protected readonly parts: CrewParts;
  readonly #stops = new Map<Worker, Stop>();
  #born = 0;

  constructor(parts: CrewParts) {
    this.parts = parts;
  }

  /** @returns a function that stops it. */
  protected abstract begin(worker: Worker): Stop;

  /** The workers that are neither dead nor asked to stop. */
  get active(): readonly Worker[] {
    return this.workers.filter(
      ({ process, stoppingMs }) => !process.dead && stoppingMs === undefined,
    );
  }

  join(workerId?: string): void {
    const { scenario, schedule, random, trace } = this.parts;
    const rate = 1 + random.between(-scenario.skew, scenario.skew);
    const name = `w${this.#born++}`;
    const process = new Process(name, schedule, rate, random.fork());
    const worker = { workerId: workerId ?? name, process, stoppingMs: undefined, ended: false };
    this.workers.push(worker);
    trace(name, `joins as ${worker.workerId}, clock at ${rate.toFixed(3)}`);
    process.after(0, () => this.#stops.set(worker, this.begin(worker)));
  }

  leave(worker: Worker, atOnce: boolean): void {
    const { trace, schedule } = this.parts;
    trace(worker.process.name, atOnce ? "is stopped at once" : "is asked to stop");
    worker.stoppingMs = schedule.nowMs;
    worker.process.after(0, () => this.#stops.get(worker)?.(atOnce));
  }

  kill(worker: Worker): void {
    this.parts.trace(worker.process.name, "is killed");
    worker.process.dead = true;
  }

  protected ended(worker: Worker): void {
    const { trace, schedule } = this.parts;
    worker.ended = true;
    worker.process.dead = true;
    trace(worker.process.name, `has ended at ${Math.round(schedule.nowMs)}`);
  }

  protected count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
