// What the endpoints answer, from the state of the daemon: JSON values.

import type { Clock } from "../clock.ts";
import {
  type Health,
  type HealthSettings,
  liveness,
  readiness,
} from "../listeners/state/health.ts";
import { type Series, STEP_MS } from "../listeners/state/history.ts";
import {
  type Moment,
  type Overview,
  overview,
  type ShardDetail,
  type ShardSummary,
  shardDetail,
  shardSummaries,
} from "../listeners/state/snapshot.ts";
import type { DaemonState } from "../listeners/state.ts";
import { ChildUse, type Use } from "./childUse.ts";

export type ShardRow = ShardSummary & Partial<Use>;

export interface WholeView extends Overview {
  /** The names of all applications of the daemon, if it has several. */
  readonly applications: readonly string[];
  readonly shards: readonly ShardRow[];
}

/** The last fifteen minutes: of all shards together, and the lags and records of each held one. */
export interface HistoryView extends Series {
  readonly stepMs: number;
  readonly shards: Readonly<Record<string, Pick<Series, "lagMs" | "records">>>;
}

export class View {
  readonly #state: DaemonState;
  readonly #clock: Clock;
  readonly #settings: HealthSettings;
  readonly #name: string;
  readonly #applications: readonly string[];
  readonly #use = new ChildUse();

  constructor(
    state: DaemonState,
    clock: Clock,
    settings: HealthSettings,
    name: string,
    applications: readonly string[],
  ) {
    this.#name = name;
    this.#applications = applications;
    this.#state = state;
    this.#clock = clock;
    this.#settings = settings;
  }

  live(): Health {
    return liveness(this.#state, this.#settings, this.#clock.monotonicMs());
  }

  ready(): Health {
    return readiness(this.#state);
  }

  get phase(): string {
    return this.#state.readiness.phase;
  }

  async whole(): Promise<WholeView> {
    const pids = [...this.#state.shards.values()].flatMap(pidsOf);
    await this.#use.refresh(pids, this.#clock.monotonicMs());
    const moment = this.#moment();
    const shards = shardSummaries(this.#state, moment).map((shard) => this.#withUse(shard));
    const applications = this.#applications;
    const facts = overview(this.#state, moment, this.#settings.failoverTimeMillis);
    // An application that could not start has reported no name.
    const applicationName = facts.application.applicationName || this.#name;
    const application = { ...facts.application, applicationName };
    return { ...facts, application, applications, shards };
  }

  shard(shardId: string): (ShardDetail & Partial<Use>) | undefined {
    const shard = shardDetail(shardId, this.#state, this.#moment());
    return shard && this.#withUse(shard);
  }

  /** @param steps how many, from the newest back. */
  history(steps?: number): HistoryView {
    const nowMs = this.#clock.monotonicMs();
    const held = [...this.#state.shards.values()].filter(({ isHeld }) => isHeld);
    return {
      stepMs: STEP_MS,
      ...this.#state.history.series(nowMs, steps),
      shards: Object.fromEntries(
        held.map(({ shardId, history }) => {
          const { lagMs, records } = history.series(nowMs, steps);
          return [shardId, { lagMs, records }];
        }),
      ),
    };
  }

  /** Counts the steps of the history: it changes when one is over. */
  get step(): number {
    return Math.floor(this.#clock.monotonicMs() / STEP_MS);
  }

  #moment(): Moment {
    return { nowMs: this.#clock.monotonicMs(), wallMs: this.#clock.now() };
  }

  #withUse<T extends ShardSummary>(shard: T): T & Partial<Use> {
    const uses = pidsOf(shard).flatMap((pid) => this.#use.of(pid) ?? []);
    if (uses.length === 0) return shard;
    const known = uses.flatMap(({ cpuPercent }) => cpuPercent ?? []);
    return {
      ...shard,
      cpuPercent: known.length === 0 ? null : known.reduce((sum, percent) => sum + percent),
      rssBytes: uses.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
    };
  }
}

interface Children {
  readonly pid?: number | null | undefined;
  readonly lanes?: readonly { readonly pid?: number | null | undefined }[];
}

/** The processes of a shard: one, or one for each lane. */
function pidsOf({ pid, lanes = [] }: Children): readonly number[] {
  return [pid, ...lanes.map((lane) => lane.pid)].flatMap((each) => each ?? []);
}
