// How this worker repeats a call to DynamoDB or Kinesis: with back-off, with events, and until a
// signal is aborted because the result is no longer needed. Errors that only the user can correct
// are thrown at once.

import { UserError } from "../model/errors.ts";
import { retry } from "../retry.ts";
import type { ServiceCall } from "./serviceFailures.ts";
import type { Surroundings } from "./surroundings.ts";
import { LeaseTableError } from "./table.ts";

const BASE_MS = 100;
const CAP_MS = 5_000;
/** The longest wait between attempts to release a lease: little of its time is left by then. */
export const RELEASE_PAUSE_MS = 500;

/**
 * @param capMs the longest wait between two attempts.
 * @returns what the attempt returned, or `undefined` when the signal was aborted first.
 * @throws UserError from the attempt, and a missing lease table as one: a retry cannot help.
 */
export async function retryUntil<T>(
  call: ServiceCall,
  attempt: () => Promise<T>,
  { clock, failures, random }: Pick<Surroundings, "clock" | "failures" | "random">,
  signal: AbortSignal,
  capMs: number = CAP_MS,
): Promise<T | undefined> {
  let hasSucceeded = false;
  const succeed = async () => {
    const result = await attempt();
    hasSucceeded = true;
    return result;
  };
  const policy = {
    clock,
    random,
    backoff: { baseMs: BASE_MS, capMs },
    mayPass: (error: unknown) => asUserError(error) === undefined,
    onFailure: ({ error, retryInMs }: { readonly error: unknown; readonly retryInMs: number }) =>
      failures.failed(call, error, retryInMs),
  };
  try {
    return await retry(succeed, policy, signal);
  } catch (error) {
    throw asUserError(error) ?? error;
  } finally {
    if (hasSucceeded) failures.recovered(call);
    else failures.gaveUp(call);
  }
}

/** @returns `undefined` for an error that may pass by itself. */
function asUserError(error: unknown): UserError | undefined {
  if (error instanceof UserError) return error;
  if (!(error instanceof LeaseTableError) || error.reason !== "tableMissing") return undefined;
  return new UserError(
    `${error.message}. The lease table was deleted while this program ran, and the checkpoints with it. ` +
      "Restore the table from a backup, or start again: the daemon then creates a new table and starts reading at initialPositionInStream.",
    { cause: error },
  );
}

/** For credentials that may not use the table. */
export function accessDenied(error: LeaseTableError): UserError {
  return new UserError(
    `${error.message}. Give this process credentials that allow these operations on the lease table: DescribeTable, CreateTable, Scan, GetItem, PutItem, UpdateItem, DeleteItem.`,
    { cause: error },
  );
}
