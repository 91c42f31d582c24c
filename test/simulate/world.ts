// One run: a time with incidents, then a time without. Then every lease must soon be served, every
// record consumed and the fleet balanced. Afterwards no lease may change its owner. The run yields
// steps, so one loop can drive it with promises (run.ts) and another without (pure/run.ts).

import type { Crew, CrewParts } from "./crew.ts";
import { Goals } from "./goals.ts";
import { Incidents } from "./incidents.ts";
import { Invariants } from "./invariants.ts";
import { Random } from "./random.ts";
import { type Scenario, type Size, scenarioOf } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import { SimStream } from "./stream.ts";
import { type Operation, SimTable } from "./table.ts";
import { CALM, REQUEST_TIMEOUT_MS, Weather } from "./weather.ts";

export interface Outcome {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly scenario: Scenario;
  readonly virtualMs: number;
  readonly events: number;
  /** Counted from the last incident: until every lease was served, and until the fleet was even. */
  readonly servedAfterMs: number;
  readonly evenAfterMs: number;
  readonly requests: ReadonlyMap<Operation, number>;
  readonly refused: ReadonlyMap<Operation, number>;
  readonly counts: ReadonlyMap<string, number>;
}

export interface Run extends Size {
  readonly seed: number;
  /** Whether it runs only decisions, not complete coordinators. */
  readonly pure?: boolean;
  readonly trace?: (line: string) => void;
}

type Enlist = (parts: CrewParts) => Crew;

export class World {
  readonly #seed: number;
  readonly #scenario: Scenario;
  readonly schedule = new Schedule();
  readonly #stream: SimStream;
  readonly #table: SimTable;
  readonly #invariants: Invariants;
  readonly #fleet: Crew;
  readonly #goals: Goals;
  readonly #incidents: Incidents;
  #servedAfterMs = 0;
  #evenAfterMs = 0;

  /** @param enlist creates the workers, which have not joined yet. */
  constructor({ seed, trace: write, ...size }: Run, enlist: Enlist) {
    const random = new Random(seed);
    this.#seed = seed;
    const schedule = this.schedule;
    const scenario = scenarioOf(random, size);
    this.#scenario = scenario;
    const { failoverTimeMillis } = scenario.settings;
    const trace = (who: string, what: string) =>
      write?.(`${schedule.nowMs.toFixed(1).padStart(10)} ${who}: ${what}`);
    if (write) trace("world", JSON.stringify(scenario));
    const stream = new SimStream(scenario.shards, scenario.recordsPerSecond);
    this.#stream = stream;
    this.#invariants = new Invariants(schedule, stream);
    const weather = new Weather(random.fork(), failoverTimeMillis);
    weather.climate = CALM;
    this.#table = new SimTable(schedule, weather, scenario.rowsPerPage, (done) => {
      this.#invariants.written(done);
      if (write && done.operation !== "renew") {
        const row = done.after ?? done.before;
        const at = row?.checkpoint.sequenceNumber;
        trace(
          "table",
          `${done.by.name} ${done.operation} ${row?.shardId} → ${row?.counter} ${row?.owner ?? "-"} ${at}`,
        );
      }
    });
    const parts = { scenario, schedule, stream, table: this.#table, trace, weather };
    this.#fleet = enlist({ ...parts, invariants: this.#invariants, random: random.fork() });
    this.#goals = new Goals({ ...parts, invariants: this.#invariants, fleet: this.#fleet });
    this.#incidents = new Incidents({ ...parts, fleet: this.#fleet, random: random.fork() });
  }

  /** Repeatedly yields the time until which to run. */
  *live(): Generator<number, void> {
    const { troubledMs, restMs, settings } = this.#scenario;
    const { failoverTimeMillis } = settings;
    this.#incidents.begin();
    yield this.#after(troubledMs);
    this.#incidents.end();
    const calmSinceMs = this.schedule.nowMs;
    const goals = this.#goals;
    this.#servedAfterMs = yield* this.#until("all served", goals.servedWithinMs, () =>
      goals.unserved(),
    );
    this.#evenAfterMs = yield* this.#until("even", goals.evenWithinMs, () => goals.uneven());
    // A lease that the last incident cost stays trusted for most of a lease time. A write that
    // takes effect up to two lease times late may change it. Then it has to expire. Before that, a
    // scan may have waited for a response that never came.
    yield this.#after(3.5 * failoverTimeMillis + REQUEST_TIMEOUT_MS + this.#goals.ledMs);
    yield* this.#rest(restMs);
    for (const { process, stoppingMs, ended } of this.#fleet.workers) {
      if (stoppingMs !== undefined && !ended && !process.dead) {
        this.#invariants.violated(`${process.name} was asked to stop and did not end`);
      }
    }
    if (this.#invariants.violation === undefined) this.#checkEnd(calmSinceMs);
  }

  outcome(): Outcome {
    return {
      seed: this.#seed,
      violation: this.#invariants.violation,
      scenario: this.#scenario,
      virtualMs: this.schedule.nowMs,
      events: this.schedule.events,
      servedAfterMs: this.#servedAfterMs,
      evenAfterMs: this.#evenAfterMs,
      requests: this.#table.requests,
      refused: this.#table.refused,
      counts: this.#fleet.counts,
    };
  }

  /** Check this after each event: true if the run can end. */
  readonly over = (): boolean => {
    this.#invariants.checkTrust();
    return this.#invariants.violation !== undefined;
  };

  #after(ms: number): number {
    return this.schedule.nowMs + ms;
  }

  /** @param lacking what is still missing; "" if nothing. */
  *#until(what: string, withinMs: number, lacking: () => string): Generator<number, number> {
    const sinceMs = this.schedule.nowMs;
    for (;;) {
      const lack = lacking();
      const tookMs = this.schedule.nowMs - sinceMs;
      if (lack === "" || this.#invariants.violation !== undefined) return tookMs;
      if (tookMs > withinMs) {
        this.#invariants.violated(
          `not ${what} ${Math.round(tookMs)} ms after the last incident: ${lack}`,
        );
        return tookMs;
      }
      yield this.#after(this.#scenario.settings.failoverTimeMillis / 4);
    }
  }

  *#rest(ms: number): Generator<number, void> {
    const moves = () => this.#goals.moves();
    const before = moves();
    yield this.#after(ms);
    if (moves() > before) {
      this.#invariants.violated(`${moves() - before} leases changed owners at rest`);
    }
  }

  #checkEnd(calmSinceMs: number): void {
    const lack = this.#goals.unserved() || this.#goals.uneven();
    if (lack !== "") {
      this.#invariants.violated(`${lack}, though the fleet was even at ${Math.round(calmSinceMs)}`);
    }
    for (const shard of this.#stream.open) {
      const total = this.#stream.tip(shard, this.schedule.nowMs);
      if (shard.consumed < total) {
        this.#invariants.violated(
          `${shard.shardId} is at ${shard.consumed} of ${total} at the end`,
        );
      }
    }
  }
}
