// Keeps a shard alive: when its child fails, decides what comes next and whether this worker is the one to try it.
// Other shards do not notice. Nothing is skipped, unless the person named a destination for what cannot be processed.

import { ChildFailed } from "../child/childFailed.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { backoffMs } from "../retry.ts";
import { consumeShard, type Life, type ShardParts } from "./consumer.ts";
import { type DeadLetterDestination, type DeadLetterOrigin, deadLetters } from "./deadLetter.ts";
import { RESTART_BACKOFF, RestartBudget } from "./restartBudget.ts";
import { ShardEndNotCheckpointed } from "./shardEndNotCheckpointed.ts";
import { type Sentence, Suspects } from "./suspects.ts";

export interface SupervisedParts extends ShardParts {
  /** Absent: what cannot be processed blocks its shard. */
  readonly deadLetters?: {
    readonly destination: DeadLetterDestination;
    readonly origin: Omit<DeadLetterOrigin, "shardId">;
  };
  readonly random: () => number;
}

/** A failure of a child; anything else is a fault of ours and ends the daemon. */
type Failure = ChildFailed | ShardEndNotCheckpointed;

const DESTINATION_BACKOFF = { baseMs: 500, capMs: 30_000 };

/**
 * Returns when the shard ended, the lease was lost, a stop was requested, or the lease should go to another worker.
 *
 * @throws the child's failure when the person wants that to end the daemon (`onChildFailure = exit`).
 */
export async function superviseShard(lease: HeldLease, parts: SupervisedParts): Promise<void> {
  const budget = new RestartBudget(parts.settings);
  const suspects = new Suspects(parts.settings);
  for (let attempt = 1; ; attempt += 1) {
    const life: Life = { attempt, suspects, inHand: undefined };
    try {
      return await consumeShard(lease, parts, life);
    } catch (error) {
      if (!(error instanceof ChildFailed || error instanceof ShardEndNotCheckpointed)) throw error;
      if (!(await shouldGoOn(error, life, lease, budget, parts))) return;
    }
  }
}

/** Does what the failure calls for. @returns whether a new child should try. */
async function shouldGoOn(
  error: Failure,
  life: Life,
  lease: HeldLease,
  budget: RestartBudget,
  parts: SupervisedParts,
): Promise<boolean> {
  const { settings, clock, emit } = parts;
  const over = AbortSignal.any([lease.lost, lease.stopRequested]);
  const tell = (next: "restart" | "releaseLease" | "exit" | "stop", retryInMs?: number) =>
    emit({
      type: "childFailed",
      shardId: lease.shardId,
      attempt: life.attempt,
      error,
      records: life.inHand?.count ?? 0,
      first: life.inHand?.first,
      last: life.inHand?.last,
      next,
      retryInMs,
    });
  if (over.aborted) {
    tell("stop");
    return false;
  }
  if (error instanceof ChildFailed && settings.onChildFailure !== "restart") {
    tell(settings.onChildFailure);
    if (settings.onChildFailure === "exit") throw error;
    return false;
  }
  const sentence = judge(error, life, parts);
  if (sentence?.verdict === "condemn" && error instanceof ChildFailed) {
    tell("restart", 0);
    return bury(error, life, sentence, lease, parts);
  }
  const waitMs = waitBeforeNext(sentence, budget, parts);
  if (waitMs === undefined) {
    tell("releaseLease");
    return false;
  }
  tell("restart", waitMs);
  await clock.sleep(waitMs, over);
  return !over.aborted;
}

/** @returns `undefined` when another worker should try. */
function waitBeforeNext(
  sentence: Sentence | undefined,
  budget: RestartBudget,
  { settings, clock, random, deadLetters: place }: SupervisedParts,
): number | undefined {
  if (sentence?.verdict === "split") return 0;
  // Retries of a suspect that may be condemned have a limit of their own, whatever the budget is.
  const isLimited = place !== undefined && settings.maximumRetryAttempts >= 0;
  if (sentence && isLimited) return backoffMs(sentence.failures - 1, RESTART_BACKOFF, random);
  return budget.spend(clock.monotonicMs(), random);
}

function judge(error: Failure, life: Life, parts: SupervisedParts): Sentence | undefined {
  if (!life.inHand || !(error instanceof ChildFailed)) return undefined;
  const sentence = life.suspects.accuse(life.inHand, parts.clock.now());
  // Without a place for them, records are never given up.
  return sentence.verdict === "condemn" && !parts.deadLetters ? undefined : sentence;
}

/** Brings the records into safety, however long that takes: the shard waits, the data does not go. */
async function bury(
  error: ChildFailed,
  { inHand, suspects }: Life,
  sentence: Extract<Sentence, { verdict: "condemn" }>,
  lease: HeldLease,
  { deadLetters: place, clock, emit }: SupervisedParts,
): Promise<boolean> {
  if (!inHand || !place) return true;
  const { shardId } = lease;
  const over = AbortSignal.any([lease.lost, lease.stopRequested]);
  const letters = deadLetters(inHand, { ...place.origin, shardId }, error, sentence, clock.now());
  for (let attempt = 0; !over.aborted; attempt += 1) {
    try {
      await place.destination.send(letters, over);
      suspects.bury(inHand);
      const { first, last, count } = inHand;
      emit({
        type: "recordsBuried",
        shardId,
        records: count,
        first,
        last,
        condition: sentence.why,
      });
      return true;
    } catch (cause) {
      if (over.aborted) return false;
      const retryInMs = backoffMs(attempt, DESTINATION_BACKOFF);
      emit({ type: "destinationTrouble", shardId, error: cause, attempt: attempt + 1, retryInMs });
      await clock.sleep(retryInMs, over);
    }
  }
  return false;
}
