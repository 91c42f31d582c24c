// Simulates a fleet of hundreds of workers on thousands of shards, with decisions only (pure/).
// Step by step it starts, loses workers, is restarted and resharded. After each step it must be
// served, even and at rest again. The invariants of small fleets are checked throughout. It reports
// how long each step took, and its load on the table.

import { ROWS_PER_PAGE } from "./calm.ts";
import type { Worker } from "./crew.ts";
import { Goals } from "./goals.ts";
import { Invariants } from "./invariants.ts";
import { PureFleet } from "./pure/fleet.ts";
import { Random } from "./random.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import { asChild, type SimShard, SimStream } from "./stream.ts";
import { SimTable } from "./table.ts";
import type { Load } from "./units.ts";
import { REQUEST_TIMEOUT_MS, Weather } from "./weather.ts";

export interface LargeSize {
  readonly workers: number;
  readonly shards: number;
}

export interface Step {
  readonly what: string;
  /** Counted from the last incident of the step. */
  readonly servedAfterMs: number;
  readonly evenAfterMs: number;
  /** Leases that were taken, by any worker. */
  readonly taken: number;
  readonly scansPerSecond: number;
  /** Per second, from the first incident of the step until the fleet was even. */
  readonly loads: readonly Load[];
}

/** The time in which all workers have joined or returned. */
const JOINING_MS = 10_000;
const RESTING_MS = 60_000;
/**
 * The pause between two workers of a rolling restart, and between the end and the return of one.
 */
const ROLLING_MS = 1_000;
const STEP_MS = 500;

export class LargeFleet {
  readonly table: SimTable;
  readonly #scenario: Scenario;
  readonly #schedule = new Schedule();
  readonly #random = new Random(1);
  readonly #stream: SimStream;
  readonly #invariants: Invariants;
  readonly #fleet: PureFleet;
  readonly #goals: Goals;

  constructor(size: LargeSize) {
    const random = this.#random;
    const schedule = this.#schedule;
    const scenario = { ...scenarioOf(random, { ...size, calm: true }), skew: 0.05 };
    const { failoverTimeMillis } = scenario.settings;
    const stream = new SimStream(size.shards, scenario.recordsPerSecond);
    const invariants = new Invariants(schedule, stream);
    const weather = new Weather(random.fork(), failoverTimeMillis);
    const table = new SimTable(schedule, weather, ROWS_PER_PAGE, (done) =>
      invariants.written(done),
    );
    const parts = { scenario, schedule, stream, table, invariants };
    this.table = table;
    this.#scenario = scenario;
    this.#stream = stream;
    this.#invariants = invariants;
    this.#fleet = new PureFleet({ ...parts, random: random.fork(), trace: () => {} });
    this.#goals = new Goals({ ...parts, fleet: this.#fleet });
  }

  /** The table of a fleet that has just died, with other worker ids. */
  inherit(): void {
    [...this.#stream.shards.values()].forEach((shard, i) => {
      const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
      const rest = { counter: 1, ownerSwitchesSinceCheckpoint: 0, childShardIds: [], checkpoint };
      const lease = { ...asChild(shard), ...rest, owner: `dead${i % this.#scenario.workers}` };
      this.table.fill(lease);
    });
  }

  join(what: string, workers: number): Step {
    return this.#step(what, () => {
      for (let i = 0; i < workers; i++) this.#joinWithin(JOINING_MS);
      this.#run(JOINING_MS);
    });
  }

  kill(workers: number): Step {
    return this.#step(`${workers} killed`, () => {
      for (const worker of this.#some(workers)) this.#fleet.kill(worker);
    });
  }

  /** All at once; they return with their worker ids. */
  restartAll(): Step {
    const { active } = this.#fleet;
    return this.#step(`all ${active.length} killed and restarted`, () => {
      for (const worker of active) {
        this.#fleet.kill(worker);
        this.#joinWithin(JOINING_MS, worker.workerId);
      }
      this.#run(JOINING_MS);
    });
  }

  /** One after the other, in order; each returns with its worker id. */
  restartInTurn(workers: number): Step {
    return this.#step(`${workers} restarted in turn`, () => {
      let away = 0;
      const comeBack = (worker: Worker) => {
        if (worker.ended) {
          this.#fleet.join(worker.workerId);
          away--;
        } else this.#schedule.in(ROLLING_MS, () => comeBack(worker));
      };
      for (const worker of this.#some(workers)) {
        this.#fleet.leave(worker, false);
        away++;
        this.#schedule.in(ROLLING_MS, () => comeBack(worker));
        this.#run(ROLLING_MS);
      }
      while (away > 0) this.#run(ROLLING_MS);
    });
  }

  reshard(splits: number, merges: number): Step {
    return this.#step(`${splits} shards split, ${merges} pairs merged`, () => {
      const { nowMs } = this.#schedule;
      const open = this.#random.shuffle([...this.#stream.open]);
      const isOpen = ({ closedMs }: SimShard) => closedMs === undefined;
      for (const shard of open.slice(0, splits)) this.#stream.split(shard, nowMs);
      let left = merges;
      for (const shard of open) {
        if (left > 0 && isOpen(shard) && this.#stream.merge(shard, nowMs)) left--;
      }
    });
  }

  /** @throws if any lease changes its owner. */
  rest(): Step {
    // By then the effects of the last incident have become visible.
    this.#run(3.5 * this.#scenario.settings.failoverTimeMillis + REQUEST_TIMEOUT_MS);
    const before = this.#goals.moves();
    const step = this.#step("at rest", () => this.#run(RESTING_MS));
    if (this.#goals.moves() > before) {
      throw new Error(`${this.#goals.moves() - before} leases changed owners at rest`);
    }
    return step;
  }

  #step(what: string, cause: () => void): Step {
    const { meter, requests } = this.table;
    const taken = () => (requests.get("take") ?? 0) - (this.table.refused.get("take") ?? 0);
    const before = { taken: taken(), pages: requests.get("scan") ?? 0 };
    const sinceMs = this.#schedule.nowMs;
    cause();
    const lastMs = this.#schedule.nowMs;
    const { servedWithinMs, evenWithinMs } = this.#goals;
    this.#until("served", lastMs + servedWithinMs, () => this.#goals.unserved());
    const servedAfterMs = this.#schedule.nowMs - lastMs;
    this.#until("even", lastMs + servedWithinMs + evenWithinMs, () => this.#goals.uneven());
    const evenAfterMs = this.#schedule.nowMs - lastMs;
    const seconds = (this.#schedule.nowMs - sinceMs) / 1_000;
    const pages = (requests.get("scan") ?? 0) - before.pages;
    return {
      what,
      servedAfterMs,
      evenAfterMs,
      taken: taken() - before.taken,
      scansPerSecond: pages / Math.ceil(this.table.rows.size / ROWS_PER_PAGE) / seconds,
      loads: loadsBetween(meter.loads, sinceMs, this.#schedule.nowMs),
    };
  }

  /** @param lacking what is still missing; "" if nothing. */
  #until(what: string, byMs: number, lacking: () => string): void {
    for (let lack = lacking(); lack !== ""; lack = lacking()) {
      if (this.#schedule.nowMs > byMs) throw new Error(`not ${what} in time: ${lack}`);
      this.#run(STEP_MS);
    }
  }

  #run(ms: number): void {
    this.#schedule.runAtOnce(this.#schedule.nowMs + ms, () => {
      this.#invariants.checkTrust();
      if (this.#invariants.violation !== undefined) throw new Error(this.#invariants.violation);
      return false;
    });
  }

  #joinWithin(ms: number, workerId?: string): void {
    this.#schedule.in(this.#random.between(0, ms), () => this.#fleet.join(workerId));
  }

  #some(workers: number): readonly Worker[] {
    return this.#random.shuffle([...this.#fleet.active]).slice(0, workers);
  }
}

/** Whole seconds only, and at least one. */
function loadsBetween(loads: ReadonlyMap<number, Load>, fromMs: number, toMs: number): Load[] {
  const first = Math.floor(fromMs / 1_000);
  const last = Math.max(first, Math.ceil(toMs / 1_000) - 1);
  return [...loads].flatMap(([second, load]) => (second >= first && second <= last ? load : []));
}
