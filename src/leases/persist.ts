// Tries again until it works: with backoff, with events, and until the signal says that it no longer matters.

import type { Clock } from "../clock.ts";
import { UserError } from "../model/errors.ts";
import { backoffMs } from "../retry.ts";
import { LeaseTableError } from "./table.ts";
import type { Trouble, Work } from "./trouble.ts";

export interface Persistence {
  readonly clock: Clock;
  readonly trouble: Trouble;
  readonly random: () => number;
}

const BASE_MS = 100;
const CAP_MS = 5_000;
/** At the end of a tenure there is little time left: no long waits between attempts to give a lease up. */
export const RELEASE_PAUSE_MS = 500;

/**
 * @param capMs the longest wait between two attempts.
 * @returns what the attempt returned, or `undefined` when the signal was aborted first.
 * @throws UserError from the attempt, and a missing lease table as one: time does not mend these.
 */
export async function persist<T>(
  work: Work,
  attempt: () => Promise<T>,
  { clock, trouble, random }: Persistence,
  signal: AbortSignal,
  capMs: number = CAP_MS,
): Promise<T | undefined> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const result = await attempt();
      trouble.recovered(work);
      return result;
    } catch (error) {
      if (signal.aborted) break;
      const fatal = whatPersonsMend(error);
      if (fatal) throw fatal;
      const waitMs = backoffMs(failures, { baseMs: BASE_MS, capMs }, random);
      trouble.failed(work, error, waitMs);
      await clock.sleep(waitMs, signal);
    }
  }
  trouble.gaveUp(work);
  return undefined;
}

function whatPersonsMend(error: unknown): UserError | undefined {
  if (error instanceof UserError) return error;
  if (!(error instanceof LeaseTableError) || error.trouble !== "tableMissing") return undefined;
  return new UserError(
    `${error.message}. The lease table was deleted while this program ran, and the checkpoints with it. ` +
      "Restore the table, or start again: a new one is made, and reading begins at initialPositionInStream.",
    { cause: error },
  );
}

/** What to tell a person whose credentials may not use the table. */
export function denied(error: LeaseTableError): UserError {
  return new UserError(
    `${error.message}. Give this process credentials that may use the lease table (DescribeTable, CreateTable, Scan, GetItem, PutItem, UpdateItem, DeleteItem).`,
    { cause: error },
  );
}
