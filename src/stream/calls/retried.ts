// Calls about the stream as a whole, tried again while time may mend what failed, and no longer.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { UserError } from "../../model/errors.ts";
import { type Backoff, backoffMs } from "../../retry.ts";
import type { CallOptions } from "./kinesisCalls.ts";
import { kindOfTrouble, StreamNotFound } from "./readErrors.ts";

export interface RetryOptions {
  readonly client: KinesisClient;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

const REQUEST_TIMEOUT_MS = 10_000;
/** ListShards allows 1,000 calls a second and stream, DescribeStreamSummary 20 an account: LimitExceeded passes soon. */
const BACKOFF: Backoff = { baseMs: 400, capMs: 10_000 };
/** Told at the first failure and at each that many times the last: 1, 4, 16, … */
const TOLD_EVERY = 4;

/** Clients that were let in once: what they are refused later may be granted again (keys are rotated, tokens renewed). */
const admitted = new WeakSet<KinesisClient>();

/**
 * @throws UserError when a person has to mend it: the stream is missing, or we were never let in;
 *   the signal's reason when it is aborted.
 */
export async function retried<T>(
  operation: string,
  { client, clock, emit, signal }: RetryOptions,
  call: (calls: CallOptions, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  let nextTold = 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const result = await call({ client, clock, requestTimeoutMs: REQUEST_TIMEOUT_MS }, signal);
      admitted.add(client);
      if (nextTold > 1) {
        emit({ type: "serviceRecovered", service: "kinesis", operation, attempts: attempt - 1 });
      }
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StreamNotFound) throw error;
      if (kindOfTrouble(error) === "denied" && !admitted.has(client))
        throw denied(operation, error);
      const retryInMs = backoffMs(attempt - 1, BACKOFF);
      if (attempt >= nextTold) {
        nextTold = attempt * TOLD_EVERY;
        emit({ type: "serviceTrouble", service: "kinesis", operation, error, attempt, retryInMs });
      }
      await clock.sleep(retryInMs, signal);
    }
  }
}

function denied(operation: string, cause: unknown): UserError {
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return new UserError(
    `Kinesis does not let us call ${operation} (${said}). Check the credentials that the daemon finds, and that they allow kinesis:${operation} on the stream.`,
    { cause },
  );
}
