// Keeps a shard alive: when its child fails, decides what comes next and whether this worker is the one to try it.
// Other shards do not notice. Nothing is skipped, unless the person named a destination for what cannot be processed.

import { ChildFailed } from "../child/childFailed.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { backoffMs } from "../retry.ts";
import { type Burial, buryRecords } from "./burial.ts";
import { consumeShard, type Life, type ShardParts } from "./consumer.ts";
import { heedful } from "./heedChild.ts";
import { heedfulReader } from "./heedReader.ts";
import { LatestMoment } from "./latest.ts";
import { RESTART_BACKOFF, RestartBudget } from "./restartBudget.ts";
import type { SupervisionSettings } from "./settings.ts";
import { ShardEndNotCheckpointed } from "./shardEndNotCheckpointed.ts";
import { type Sentence, Suspects } from "./suspects.ts";

export interface SupervisedParts extends ShardParts {
  readonly settings: SupervisionSettings;
  readonly random: () => number;
}

/** A failure of a child; anything else is a fault of ours and ends the daemon. */
type Failure = ChildFailed | ShardEndNotCheckpointed;

/** What comes after a failure. */
type Next =
  | { readonly next: "restart"; readonly retryInMs: number; readonly bury?: Burial }
  | { readonly next: "releaseLease" | "exit" | "stop" };

/** A second child that shows no sign of life has not been unlucky: another worker may do better. */
const STUCK_CHILDREN_MAX = 2;

/**
 * Returns when the shard ended, the lease was lost, a stop was requested, or the lease should go to another worker.
 *
 * @throws the child's failure when the person wants that to end the daemon (`onChildFailure = exit`).
 */
export async function superviseShard(lease: HeldLease, given: SupervisedParts): Promise<void> {
  const parts = heeding(given);
  const failures = new Failures(lease, parts);
  const suspects = new Suspects(parts.settings);
  const latest = new LatestMoment(parts.clock.now());
  for (let attempt = 1; ; attempt += 1) {
    const life: Life = { attempt, suspects, latest, inHand: undefined, moved: false };
    try {
      return await consumeShard(lease, parts, life);
    } catch (error) {
      if (!(error instanceof ChildFailed || error instanceof ShardEndNotCheckpointed)) throw error;
      if (!(await failures.goOnAfter(error, life))) return;
    }
  }
}

/** What one worker remembers of a shard's failures while it holds the lease. */
class Failures {
  readonly #lease: HeldLease;
  readonly #parts: SupervisedParts;
  readonly #budget: RestartBudget;
  readonly #over: AbortSignal;
  #stuckInARow = 0;

  constructor(lease: HeldLease, parts: SupervisedParts) {
    this.#lease = lease;
    this.#parts = parts;
    this.#budget = new RestartBudget(parts.settings);
    this.#over = AbortSignal.any([lease.lost, lease.stopRequested]);
  }

  /** Does what the failure calls for. @returns whether a new child should try. */
  async goOnAfter(error: Failure, life: Life): Promise<boolean> {
    const after = this.#decide(error, life);
    this.#tell(error, life, after);
    if (after.next === "exit") throw error;
    if (after.next !== "restart") return false;
    const { clock } = this.#parts;
    if (after.bury) await buryRecords(after.bury, life.suspects, this.#parts, this.#over);
    await clock.sleep(after.retryInMs, this.#over);
    return !this.#over.aborted;
  }

  #decide(error: Failure, life: Life): Next {
    const { settings, random } = this.#parts;
    if (this.#over.aborted) return { next: "stop" };
    if (error instanceof ShardEndNotCheckpointed) return this.#restartWithinBudget();
    if (settings.onChildFailure !== "restart") return { next: settings.onChildFailure };
    const sentence = this.#judge(life);
    if (sentence?.verdict === "split") return { next: "restart", retryInMs: 0 };
    const place = this.#parts.deadLetters;
    if (sentence?.verdict === "condemn" && place && life.inHand) {
      const { shardId } = this.#lease;
      const bury = { records: life.inHand, shardId, place, error, sentence };
      return { next: "restart", retryInMs: 0, bury };
    }
    if (sentence && this.#isLimited(life)) {
      const retryInMs = backoffMs(sentence.failures - 1, RESTART_BACKOFF, random);
      return { next: "restart", retryInMs };
    }
    if (error.reason === "stuck") {
      this.#stuckInARow = life.moved ? 1 : this.#stuckInARow + 1;
      if (this.#stuckInARow >= STUCK_CHILDREN_MAX) return { next: "releaseLease" };
    } else {
      this.#stuckInARow = 0;
    }
    return this.#restartWithinBudget();
  }

  /** Retries that come to an end by themselves, since a suspect is to be halved or condemned, are not counted. */
  #isLimited({ inHand }: Life): boolean {
    const { settings, deadLetters } = this.#parts;
    if (settings.bisectBatchOnFunctionError && inHand && inHand.count > 1) return true;
    return deadLetters !== undefined && settings.maximumRetryAttempts >= 0;
  }

  #restartWithinBudget(): Next {
    const { clock, random } = this.#parts;
    const retryInMs = this.#budget.spend(clock.monotonicMs(), random);
    return retryInMs === undefined ? { next: "releaseLease" } : { next: "restart", retryInMs };
  }

  #judge({ inHand, suspects }: Life): Sentence | undefined {
    return inHand && suspects.accuse(inHand, this.#parts.clock.now());
  }

  #tell(error: Failure, { attempt, inHand }: Life, after: Next): void {
    const { emit, settings } = this.#parts;
    const { shardId } = this.#lease;
    emit({
      type: "childFailed",
      shardId,
      attempt,
      error,
      records: inHand?.count ?? 0,
      first: inHand?.first,
      last: inHand?.last,
      next: after.next,
      retryInMs: after.next === "restart" ? after.retryInMs : undefined,
    });
    if (!(error instanceof ChildFailed) || error.reason !== "stuck") return;
    const step = after.next === "restart" ? "restartChild" : "releaseLease";
    const quietMs = (settings.progressTimeoutSeconds ?? 0) * 1000;
    emit({ type: "shardStuck", shardId, waitingFor: "child", step, quietMs });
  }
}

/** Where the person wants that, nothing is waited for without end. */
function heeding(parts: SupervisedParts): SupervisedParts {
  const { settings, clock, emit, read, startProcessor } = parts;
  const { progressTimeoutSeconds: seconds } = settings;
  if (seconds === undefined) return parts;
  const timeoutMs = seconds * 1000;
  const idleMs = Math.max(
    settings.idleTimeBetweenReadsInMillis,
    settings.millisBehindLatestThresholdForReducedTps,
  );
  return {
    ...parts,
    read: heedfulReader(read, { timeoutMs: timeoutMs + idleMs, clock, emit }),
    startProcessor: heedful(startProcessor, { timeoutMs, clock, emit }),
  };
}
