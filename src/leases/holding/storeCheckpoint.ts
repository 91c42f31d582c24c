// How long a checkpoint is tried: the only place that decides it. A child waits for the result.
//
// In total: no attempt begins later than 10 s after the first. One attempt ends after a renewal
// interval (failoverTimeMillis / 3) without a response; within that time the AWS client makes its
// own quick retries. So with the default failover time of 10 s a child has its answer after 14 s at
// the latest, and usually after 10 s.
//
// The lease is trusted for 9 s after the last successful write to it. When that time runs out
// first, the result is `"lost"`.
//
// Then the child receives an error with KCL's name for it and decides itself whether to try again.

import { CheckpointError, type CheckpointErrorName } from "../../model/errors.ts";
import { retry } from "../../retry.ts";
import type { Surroundings } from "../surroundings.ts";
import { LeaseTableError, type TableFailure } from "../table.ts";

const RETRY_FOR_MS = 10_000;
const BACKOFF = { baseMs: 50, capMs: 2_000 };

const NAMES = {
  throttled: "ThrottlingException",
  tableMissing: "InvalidStateException",
  denied: "KinesisClientLibDependencyException",
  unreadable: "KinesisClientLibDependencyException",
  unavailable: "KinesisClientLibDependencyException",
} satisfies Record<TableFailure, CheckpointErrorName>;

/** The lease that the checkpoint is written to. */
export interface CheckpointTarget {
  readonly shardId: string;
  readonly lost: AbortSignal;
  readonly trusted: boolean;
}

/**
 * @param attempt one guarded write of the checkpoint.
 * @throws CheckpointError when DynamoDB did not store it.
 */
export async function storeCheckpoint(
  lease: CheckpointTarget,
  attempt: () => Promise<"written" | "lost">,
  { clock, failures, random }: Pick<Surroundings, "clock" | "failures" | "random">,
): Promise<"stored" | "lost"> {
  const { shardId } = lease;
  const call = { service: "dynamodb", operation: "checkpoint", shardId } as const;
  const policy = {
    clock,
    random,
    backoff: BACKOFF,
    withinMs: RETRY_FOR_MS,
    mayPass: (error: unknown) => lease.trusted && reasonOf(error) !== "tableMissing",
    onFailure: ({ error, retryInMs }: { readonly error: unknown; readonly retryInMs: number }) =>
      failures.failed(call, error, retryInMs),
  };
  try {
    const result = await retry(attempt, policy, lease.lost);
    if (result === undefined) failures.gaveUp(call);
    else failures.recovered(call);
    return result === "written" ? "stored" : "lost";
  } catch (error) {
    failures.gaveUp(call);
    if (!lease.trusted) return "lost";
    const message = error instanceof Error ? error.message : String(error);
    throw new CheckpointError(NAMES[reasonOf(error)], message, { cause: error });
  }
}

function reasonOf(error: unknown): TableFailure {
  return error instanceof LeaseTableError ? error.reason : "unavailable";
}
