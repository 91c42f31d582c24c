// What a run comes to, in a file for machines and a few lines for people.

import type { Findings } from "./checker.ts";
import type { Trends } from "./watch.ts";

export interface Verdict extends Findings {
  readonly passed: boolean;
  readonly seed: number;
  readonly minutes: number;
  /** How often each came. */
  readonly faults: Readonly<Record<string, number>>;
  /** Faults that this machine cannot bring about, and why. */
  readonly skipped: readonly string[];
  /** Of the daemon that lived through the whole run. */
  readonly trends: Trends;
}

const SHOWN_PROBLEMS = 20;

export function tell(verdict: Verdict, file: string): void {
  const { problems, faults, skipped, causes, delayMs, trends, seed, minutes } = verdict;
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, count]) => `${count} × ${name}`)
      .join(", ") || "none";
  for (const problem of problems.slice(0, SHOWN_PROBLEMS)) console.log(problem);
  if (problems.length > SHOWN_PROBLEMS)
    console.log(`… and ${problems.length - SHOWN_PROBLEMS} more`);
  for (const each of skipped) console.log(`SKIPPED ${each}`);
  console.log(`faults: ${list(faults)}`);
  console.log(
    `${verdict.records} records (${verdict.poison} of them poison), ${verdict.lives} processors, ${verdict.duplicates} repeated deliveries (${list(causes)})`,
  );
  console.log(
    `from put to first delivery: p50 ${delayMs.p50}, p99 ${delayMs.p99}, most ${delayMs.max} ms`,
  );
  for (const [what, { first, last, max, perHour }] of Object.entries(trends)) {
    console.log(`${what}: ${first} first, ${last} last, ${max} most, ${perHour} more an hour`);
  }
  const again = `npm run chaos -- --minutes ${minutes} --seed ${seed}`;
  console.log(`${verdict.passed ? "PASSED" : `FAILED (again: ${again})`}; ${file}`);
}
