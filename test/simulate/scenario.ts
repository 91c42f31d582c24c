// Derives a scenario from a seed: the size of the fleet, the climate and the incidents. The numbers
// are mostly small, because small fleets find the most errors. The command line can request large
// ones.

import { LEASE_DEFAULTS, type LeaseSettings } from "../../src/leases/settings.ts";
import type { Pace } from "./consumer.ts";
import type { Random } from "./random.ts";
import { CALM, type Climate } from "./weather.ts";

export interface Size {
  readonly workers?: number;
  readonly shards?: number;
  /** Without incidents, for measurements. */
  readonly calm?: boolean;
  /**
   * A few workers for a short time. Thousands of such fleets find more errors than a few large
   * ones.
   */
  readonly brief?: boolean;
}

export interface Scenario {
  readonly workers: number;
  readonly shards: number;
  readonly settings: LeaseSettings;
  readonly climate: Climate;
  /** Clocks run at rates between 1 − skew and 1 + skew. */
  readonly skew: number;
  readonly rowsPerPage: number;
  readonly recordsPerSecond: number;
  readonly pace: Pace;
  /** How long incidents occur. Afterwards there are none. */
  readonly troubledMs: number;
  /** How long no lease may change its owner at the end. */
  readonly restMs: number;
  /** The mean time between two incidents. */
  readonly incidentEveryMs: number;
  readonly faults: boolean;
  /** The stream's listing sometimes shows children of shards that are still open. */
  readonly reshards: boolean;
  /** Whether a leader assigns the leases, as in a fleet of KCL 3.x. */
  readonly led: boolean;
}

export function scenarioOf(random: Random, size: Size): Scenario {
  const { calm = false, brief = false } = size;
  const workers = size.workers ?? random.int(1, brief ? 4 : random.chance(0.2) ? 10 : 5);
  const shards = size.shards ?? random.int(1, brief ? 6 : random.chance(0.2) ? 50 : 12);
  const failovers = brief ? [1_000, 1_000, 3_000, 3_000, 10_000] : [1_000, 3_000, 10_000];
  const failoverTimeMillis = calm ? 10_000 : (random.pick(failovers) ?? 10_000);
  const faults = !calm && random.chance(0.9);
  const rough = faults && random.chance(0.7);
  const large = workers * shards > 10_000;
  return {
    workers,
    shards,
    settings: {
      ...LEASE_DEFAULTS,
      failoverTimeMillis,
      initialPosition: { type: "TRIM_HORIZON" },
      maxLeasesToStealAtOneTime: random.chance(0.7) ? 1 : random.int(2, 5),
      enablePriorityLeaseAssignment: random.chance(0.8),
      ...(brief && { leaseAssignmentIntervalMillis: 2 * failoverTimeMillis }),
      auditIntervalMs: calm ? 120_000 : failoverTimeMillis,
      cleanupIntervalMs: calm ? 300_000 : failoverTimeMillis * 2,
      garbageIntervalMs: calm ? 1_800_000 : failoverTimeMillis * 3,
    },
    climate: rough
      ? {
          throttled: random.chance(0.5) ? random.between(0, 0.1) : 0,
          lost: random.chance(0.6) ? random.between(0, 0.1) : 0,
          slow: random.chance(0.6) ? random.between(0, 0.1) : 0,
          failed: random.chance(0.5) ? random.between(0, 0.1) : 0,
          stale: random.between(0, 0.5),
        }
      : CALM,
    skew: faults && random.chance(0.7) ? 0.05 : 0,
    rowsPerPage: shards > 100 ? 3_000 : (random.pick([brief ? 3_000 : 2, 5, 3_000]) ?? 3_000),
    recordsPerSecond: large ? 0.1 : random.between(0.5, 20),
    pace: {
      parentPollMs: random.pick([100, 1_000, 10_000]) ?? 1_000,
      readMs: large
        ? failoverTimeMillis
        : random.between(brief ? 0.3 : 0.1, 0.6) * failoverTimeMillis,
      workMs: random.between(1, 0.1 * failoverTimeMillis),
      maxRecords: random.int(1, 500) + 20 * failoverTimeMillis,
      checkpoints: random.between(0.2, 1),
    },
    troubledMs:
      failoverTimeMillis * (calm ? 6 : large ? 10 : brief ? random.int(3, 8) : random.int(5, 25)),
    restMs: failoverTimeMillis * (brief ? 3 : 10),
    // A large fleet has more parts that can fail.
    incidentEveryMs: (failoverTimeMillis * random.between(0.3, 3)) / Math.max(1, workers / 20),
    faults,
    reshards: !calm && random.chance(0.6),
    led: brief && random.chance(0.2),
  };
}
