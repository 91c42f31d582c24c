// The incidents of a run: workers join, stop, die and pause; the table fails; the stream is
// resharded.

import type { Crew, Worker } from "./crew.ts";
import type { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";
import type { Schedule } from "./schedule.ts";
import type { SimStream } from "./stream.ts";
import { CALM, type Outage, type Weather } from "./weather.ts";

export interface IncidentParts {
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly fleet: Crew;
  readonly stream: SimStream;
  readonly weather: Weather;
  readonly random: Random;
  readonly trace: (who: string, what: string) => void;
}

const OUTAGES: readonly Outage[] = ["refusing", "silent", "throttling"];
/** How many workers may join after the start. */
const MOST_NEWCOMERS = 4;
const MOST_SHARDS_GROWN = 3;

export class Incidents {
  readonly #parts: IncidentParts;
  readonly #shardsAtStart: number;
  #over = false;

  constructor(parts: IncidentParts) {
    this.#parts = parts;
    this.#shardsAtStart = parts.stream.shards.size;
  }

  begin(): void {
    const { scenario, weather, fleet, random, schedule } = this.#parts;
    weather.climate = scenario.climate;
    const together = random.chance(0.5);
    for (let i = 0; i < scenario.workers; i++) {
      const laterMs = together || i === 0 ? 0 : random.between(0, scenario.troubledMs / 3);
      schedule.in(laterMs, () => fleet.join());
    }
    if (scenario.faults || scenario.reshards) this.#next();
  }

  /** From now on no incidents occur, and everything that was down is up. */
  end(): void {
    const { weather, fleet, stream, schedule } = this.#parts;
    this.#over = true;
    weather.climate = CALM;
    weather.outage = undefined;
    stream.putUntilMs = schedule.nowMs;
    for (const { process } of fleet.workers) process.resume();
    if (fleet.active.length === 0) fleet.join();
  }

  #next(): void {
    const { schedule, random, scenario } = this.#parts;
    schedule.in(random.between(0, 2 * scenario.incidentEveryMs), () => {
      if (this.#over) return;
      if (scenario.reshards && (!scenario.faults || random.chance(0.3))) this.#reshard();
      else this.#fault();
      this.#next();
    });
  }

  #fault(): void {
    const { fleet, random, scenario } = this.#parts;
    const { failoverTimeMillis } = scenario.settings;
    const victim = random.pick(fleet.active);
    const dice = random.next();
    if (!victim || dice < 0.2) {
      if (fleet.active.length < scenario.workers + MOST_NEWCOMERS) fleet.join();
    } else if (dice < 0.32) fleet.leave(victim, random.chance(0.2));
    else if (dice < 0.47) this.#kill(victim);
    else if (dice < 0.7) this.#pause(victim, random.between(0.05, 1.2) * failoverTimeMillis);
    else if (dice < 0.83) this.#pause(victim, random.between(0.8, 4) * failoverTimeMillis);
    else this.#outage();
  }

  #kill(victim: Worker): void {
    const { fleet, random, schedule, scenario } = this.#parts;
    fleet.kill(victim);
    // A supervisor restarts it, sometimes with its old worker id.
    const laterMs = random.between(0.01, 2) * scenario.settings.failoverTimeMillis;
    const name = random.chance(0.5) ? victim.workerId : undefined;
    if (random.chance(0.6)) schedule.in(laterMs, () => this.#over || fleet.join(name));
  }

  #pause({ process }: Worker, ms: number): void {
    const { trace, schedule } = this.#parts;
    if (process.paused) return;
    trace(process.name, `is paused for ${Math.round(ms)} ms`);
    process.pause();
    schedule.in(ms, () => {
      if (process.paused) trace(process.name, "goes on");
      process.resume();
    });
  }

  #outage(): void {
    const { weather, random, scenario, schedule, trace } = this.#parts;
    if (weather.outage) return;
    const ms = random.between(0.1, 3) * scenario.settings.failoverTimeMillis;
    weather.outage = random.pick(OUTAGES);
    trace("table", `${weather.outage} for ${Math.round(ms)} ms`);
    schedule.in(ms, () => {
      weather.outage = undefined;
      trace("table", "is back");
    });
  }

  #reshard(): void {
    const { stream, random, schedule, trace } = this.#parts;
    if (stream.shards.size > (this.#shardsAtStart + 5) * MOST_SHARDS_GROWN) return;
    const dice = random.next();
    const chosen = dice < 0.15 ? stream.open : [random.pick(stream.open)];
    for (const shard of chosen) {
      if (!shard || shard.closedMs !== undefined) continue;
      const split = dice < 0.6 || !stream.merge(shard, schedule.nowMs);
      if (split) stream.split(shard, schedule.nowMs);
      const children = shard.children.map(({ shardId }) => shardId).join(", ");
      trace("stream", `${shard.shardId} is ${split ? "split" : "merged"} into ${children}`);
    }
  }
}
