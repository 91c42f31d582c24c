// The result of a run, as a file for programs and a few lines for the console.

import type { Findings } from "./checker.ts";
import type { Trends } from "./watch.ts";

export interface Report extends Findings {
  readonly passed: boolean;
  readonly seed: number;
  readonly minutes: number;
  /** How often each fault occurred. */
  readonly faults: Readonly<Record<string, number>>;
  /** Faults that this machine cannot cause, and why. */
  readonly skipped: readonly string[];
  /** The trends of the daemon that ran throughout. */
  readonly trends: Trends;
}

const SHOWN_PROBLEMS = 20;

export function printReport(report: Report, file: string): void {
  const { problems, faults, skipped, causes, delayMs, trends, seed, minutes } = report;
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
    `${report.records} records (${report.poison} of them poison), ${report.lives} processors, ${report.duplicates} repeated deliveries (${list(causes)})`,
  );
  console.log(
    `from put to first delivery: p50 ${delayMs.p50}, p99 ${delayMs.p99}, max ${delayMs.max} ms`,
  );
  for (const [what, { first, last, max, perHour }] of Object.entries(trends)) {
    console.log(`${what}: first ${first}, last ${last}, max ${max}, +${perHour} per hour`);
  }
  const again = `npm run chaos -- --minutes ${minutes} --seed ${seed}`;
  console.log(`${report.passed ? "PASSED" : `FAILED (again: ${again})`}; ${file}`);
}
