// Consumes a shard with one child by the daemon's own consumer, but strictly: a child that fails is
// not replaced, and each checkpoint is stored before it is answered.

import type { AnswerCheckpoint, StartProcessor } from "../child/recordProcessor.ts";
import type { Emit } from "../events.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { CheckpointError, type CheckpointErrorName } from "../model/errors.ts";
import { consumeShard } from "../shard/consumer.ts";
import { FailureIsolation } from "../shard/failureIsolation.ts";
import { LatestStart } from "../shard/latestStart.ts";
import type { ShardParts, ShardSettings } from "../shard/life.ts";
import { StartTurns } from "../shard/startTurns.ts";

export const STRICT: ShardSettings = {
  parentShardPollIntervalMillis: 1_000,
  callProcessRecordsEvenForEmptyRecordList: false,
  taskBackoffTimeMillis: 500,
  onChildFailure: "exit",
  maxChildRestarts: 0,
  childRestartWindowMillis: 1,
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
  checkpointPolicy: "processor",
  checkpointIntervalMs: 0,
  maxBatchWindowMs: 0,
};

/** @throws ChildFailed or ShardEndNotCheckpointed when the child fails. */
export function consumeOnce(
  lease: HeldLease,
  parts: Omit<ShardParts, "settings" | "startTurns">,
  settings: Partial<ShardSettings> = {},
): Promise<void> {
  const all = { ...STRICT, ...settings };
  const life = {
    attempt: 1,
    isolation: new FailureIsolation(all),
    latest: new LatestStart(parts.clock.now()),
    inFlight: undefined,
    restart: new AbortController(),
    madeProgress: false,
  };
  return consumeShard(
    lease,
    { ...parts, startTurns: new StartTurns(parts.clock), settings: all },
    life,
  );
}

/**
 * Children whose first checkpoints fail with the errors in the list, one error for each checkpoint.
 * The errors do not come from the lease, because the daemon would retry them before the child sees
 * one.
 */
export function failingCheckpoints(
  start: StartProcessor,
  failures: CheckpointErrorName[],
  emit: Emit,
): StartProcessor {
  return (shardId, answer, attempt) => {
    const failing: AnswerCheckpoint = async (request) => {
      const failure = failures.shift();
      if (!failure) return answer(request);
      const message = "requested for the test";
      emit({ type: "checkpointRefused", shardId, error: failure, message });
      throw new CheckpointError(failure, message);
    };
    return start(shardId, failing, attempt);
  };
}
