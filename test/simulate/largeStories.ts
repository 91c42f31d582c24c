// Two scenarios of a large fleet that run in parallel.

import type { Lease } from "../../src/leases/lease.ts";
import { LargeFleet, type LargeSize, type Step } from "./large.ts";

export const STORIES = ["begins", "goes on"] as const;

export interface Chapter extends LargeSize {
  readonly story: (typeof STORIES)[number];
}

export type Progress =
  | { readonly step: Step }
  | { readonly rows: readonly Lease[] }
  | { readonly failed: string }
  | { readonly end: true };

export function* runStory({ story, ...size }: Chapter): Generator<Progress> {
  try {
    const fleet = new LargeFleet(size);
    const steps = story === "begins" ? beginning(fleet, size) : goingOn(fleet, size);
    for (const step of steps) yield { step };
    if (story === "begins")
      yield { rows: [...fleet.table.rows.values()].map(({ lease }) => lease) };
    yield { end: true };
  } catch (error) {
    yield { failed: error instanceof Error ? error.message : String(error) };
  }
}

function* beginning(fleet: LargeFleet, { workers }: LargeSize): Generator<Step> {
  yield fleet.join(`${workers} join, the table is empty`, workers);
  yield fleet.rest();
  yield fleet.restartAll();
  yield fleet.kill(Math.ceil(workers / 10));
}

function* goingOn(fleet: LargeFleet, { workers, shards }: LargeSize): Generator<Step> {
  fleet.inherit();
  yield fleet.join(`${workers} join, all owners are dead`, workers);
  yield fleet.restartInTurn(Math.ceil(workers / 20));
  yield fleet.reshard(Math.ceil(shards / 40), Math.ceil(shards / 40));
  yield fleet.rest();
}
