// What every part of one worker's coordination shares. Whatever only one part needs is passed to
// that part by name.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { ServiceFailures } from "./serviceFailures.ts";
import type { LeaseSettings } from "./settings.ts";
import type { LeaseTable } from "./table.ts";

export interface Surroundings {
  readonly table: LeaseTable;
  /** Unique among all live workers of the application. */
  readonly workerId: string;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly failures: ServiceFailures;
}
