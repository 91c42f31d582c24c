// Calls about the stream as a whole (its shards, its status), repeated while the failure may pass.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { UserError } from "../../model/errors.ts";
import { type Backoff, retry } from "../../retry.ts";
import type { CallOptions } from "./kinesisCalls.ts";
import { isLasting, kindOfReadError, StreamNotFound } from "./readErrors.ts";

export interface RetryOptions {
  readonly client: KinesisClient;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

const REQUEST_TIMEOUT_MS = 10_000;
/**
 * The quotas are 1,000 ListShards calls per second and stream, and 20 DescribeStreamSummary calls
 * per second and account: throttling passes within seconds.
 */
const BACKOFF: Backoff = { baseMs: 400, capMs: 10_000 };

/**
 * Clients whose credentials Kinesis has accepted once. If it refuses them later, they may be
 * accepted again, because keys rotate and tokens are renewed.
 */
const admitted = new WeakSet<KinesisClient>();

/**
 * @throws UserError when an operator has to act: the stream does not exist, or Kinesis has never
 *   accepted the credentials; the signal's reason when it is aborted.
 */
export async function retried<T>(
  operation: string,
  { client, clock, emit, signal }: RetryOptions,
  call: (calls: CallOptions, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const isRefused = (error: unknown) =>
    kindOfReadError(error) === "denied" && !admitted.has(client);
  const about = { service: "kinesis", operation, scope: operation } as const;
  let failures = 0;
  const calls = { client, clock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const done = await retry(
    async () => ({ result: await call(calls, signal) }),
    {
      clock,
      backoff: BACKOFF,
      mayPass: (error) => !(error instanceof StreamNotFound || isRefused(error)),
      onFailure: ({ error, attempt, retryInMs }) => {
        failures = attempt;
        const lasting = isLasting(error);
        emit({ type: "serviceTrouble", ...about, error, lasting, attempt, retryInMs });
      },
    },
    signal,
  ).catch((error: unknown) => {
    throw isRefused(error) ? denied(operation, error) : error;
  });
  if (!done) throw signal.reason;
  admitted.add(client);
  if (failures > 0) {
    emit({ type: "serviceRecovered", ...about, attempts: failures });
  }
  return done.result;
}

function denied(operation: string, cause: unknown): UserError {
  const error = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return new UserError(
    `Kinesis denied ${operation} (${error}). Check the credentials that the daemon uses, and that they allow kinesis:${operation} on the stream.`,
    { cause },
  );
}
