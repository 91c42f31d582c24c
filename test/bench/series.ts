// A series measures every case with every daemon in turn, round after round. A run that fails
// yields an error instead of figures, and the series continues.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Daemon } from "./daemons.ts";
import { WORK } from "./paths.ts";

export type Figures = Readonly<Record<string, number>>;

/** What is measured in turn: the daemons, unless stated otherwise. */
interface Rival {
  readonly label: string;
}

export interface Case<Measured extends Rival = Daemon> {
  /** What distinguishes the case: the first columns of the table. */
  readonly labels: Readonly<Record<string, string | number>>;
  readonly measure: (daemon: Measured) => Promise<Figures>;
}

export interface Result {
  readonly mode: string;
  readonly labels: Case["labels"];
  readonly daemon: string;
  /** Absent if the run failed. */
  readonly figures?: Figures;
}

export interface Series<Measured extends Rival> {
  readonly mode: string;
  readonly cases: readonly Case<Measured>[];
  readonly daemons: readonly Measured[];
  readonly rounds: number;
}

/** Each result is also appended to `results.jsonl` in the bench's folder, as a line of JSON. */
export async function runSeries<Measured extends Rival>({
  mode,
  cases,
  daemons,
  rounds,
}: Series<Measured>): Promise<readonly Result[]> {
  mkdirSync(WORK, { recursive: true });
  const results: Result[] = [];
  for (const { labels, measure } of cases) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const daemon of daemons) {
        const outcome = await attempt(() => measure(daemon));
        const result = { mode, labels, daemon: daemon.label, ...outcome };
        results.push(result);
        append({ time: new Date().toISOString(), ...result });
      }
    }
  }
  return results;
}

async function attempt(measure: () => Promise<Figures>) {
  try {
    return { figures: await measure() };
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

function append(result: object): void {
  const line = JSON.stringify(result, (_, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value,
  );
  console.error(line);
  appendFileSync(join(WORK, "results.jsonl"), `${line}\n`);
}
