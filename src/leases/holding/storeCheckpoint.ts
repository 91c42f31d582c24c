// Stores a checkpoint while a child waits for the answer: some patience with the service, then an error that has a name
// in KCL, so that the child can decide to try again itself.

import { CheckpointError, type CheckpointErrorName } from "../../model/errors.ts";
import { backoffMs } from "../../retry.ts";
import type { Persistence } from "../persist.ts";
import { LeaseTableError, type TableTrouble } from "../table.ts";

const ATTEMPTS = 5;
const BACKOFF = { baseMs: 50, capMs: 1_000 };

const NAMES = {
  throttled: "ThrottlingException",
  tableMissing: "InvalidStateException",
  denied: "KinesisClientLibDependencyException",
  unreadable: "KinesisClientLibDependencyException",
  unavailable: "KinesisClientLibDependencyException",
} satisfies Record<TableTrouble, CheckpointErrorName>;

/** What the loop asks of the lease that it writes to. */
export interface CheckpointTarget {
  readonly shardId: string;
  readonly lost: AbortSignal;
  readonly trusted: boolean;
}

/** @throws CheckpointError when the service did not store it. */
export async function storeCheckpoint(
  lease: CheckpointTarget,
  attempt: () => Promise<"written" | "lost">,
  { clock, trouble, random }: Persistence,
): Promise<"stored" | "lost"> {
  const work = { service: "dynamodb", operation: "checkpoint", who: lease.shardId } as const;
  for (let failures = 1; ; failures++) {
    try {
      const result = await attempt();
      trouble.recovered(work);
      return result === "written" ? "stored" : "lost";
    } catch (error) {
      if (lease.trusted && failures < ATTEMPTS && mayPass(error)) {
        const waitMs = backoffMs(failures - 1, BACKOFF, random);
        trouble.failed(work, error, waitMs);
        await clock.sleep(waitMs, lease.lost);
        continue;
      }
      trouble.gaveUp(work);
      if (!lease.trusted) return "lost";
      throw named(error);
    }
  }
}

function mayPass(error: unknown): boolean {
  return (
    error instanceof LeaseTableError &&
    (error.trouble === "throttled" || error.trouble === "unavailable")
  );
}

function named(error: unknown): CheckpointError {
  const trouble = error instanceof LeaseTableError ? error.trouble : "unavailable";
  const message = error instanceof Error ? error.message : String(error);
  return new CheckpointError(NAMES[trouble], message, { cause: error });
}
