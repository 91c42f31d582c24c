// Keeps a shard alive: when its child fails, decides what comes next and whether this worker is the one to try it.
// Other shards do not notice. Nothing is skipped, unless the person named a destination for what cannot be processed.

import { anySignal } from "../signals.ts";
import { ChildFailed } from "../child/childFailed.ts";
import { type ChildDialect, isEnding } from "../child/dialect.ts";
import type { Action } from "../child/messages.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { backoffMs } from "../retry.ts";
import { type Burial, buryRecords } from "./burial.ts";
import { consumeShard, type Life, type ShardParts } from "./consumer.ts";
import { heedful, type Limit } from "./heedChild.ts";
import { heedfulReader } from "./heedReader.ts";
import { LatestMoment } from "./latest.ts";
import { RESTART_BACKOFF, RestartBudget } from "./restartBudget.ts";
import type { SupervisionSettings } from "./settings.ts";
import { ShardEndNotCheckpointed } from "./shardEndNotCheckpointed.ts";
import { type Sentence, Suspects } from "./suspects.ts";

export interface SupervisedParts extends ShardParts {
  readonly settings: SupervisionSettings;
  /** What the children of the run speak. */
  readonly dialect: ChildDialect;
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
  const { signal: over, release } = anySignal(lease.lost, lease.stopRequested);
  const failures = new Failures(lease, parts, over);
  const suspects = new Suspects(parts.settings);
  const latest = new LatestMoment(parts.clock.now());
  try {
    for (let attempt = 1; ; attempt += 1) {
      const life: Life = { attempt, suspects, latest, inHand: undefined, moved: false };
      const error = await failureOf(consumeShard(lease, parts, life));
      if (!error || !(await failures.goOnAfter(error, life))) return;
    }
  } finally {
    release();
  }
}

/** How a child's life failed; `undefined` when it ended in order. @throws anything else, which ends the daemon. */
async function failureOf(life: Promise<void>): Promise<Failure | undefined> {
  try {
    await life;
    return undefined;
  } catch (error) {
    if (error instanceof ChildFailed || error instanceof ShardEndNotCheckpointed) return error;
    throw error;
  }
}

/** What one worker remembers of a shard's failures while it holds the lease. */
class Failures {
  readonly #lease: HeldLease;
  readonly #parts: SupervisedParts;
  readonly #budget: RestartBudget;
  readonly #over: AbortSignal;
  #stuckInARow = 0;

  /** @param over aborted when the lease is lost or a stop is requested. */
  constructor(lease: HeldLease, parts: SupervisedParts, over: AbortSignal) {
    this.#lease = lease;
    this.#parts = parts;
    this.#budget = new RestartBudget(parts.settings);
    this.#over = over;
  }

  /** Does what the failure calls for. @returns whether a new child should try. */
  async goOnAfter(error: Failure, life: Life): Promise<boolean> {
    const misread = this.#mayHaveMisread(error);
    const after = this.#decide(error, life, misread);
    this.#tell(error, life, after);
    if (after.next === "exit") throw error;
    if (after.next !== "restart") return false;
    const { clock } = this.#parts;
    if (after.bury) await buryRecords(after.bury, life.suspects, this.#parts, this.#over);
    await clock.sleep(after.retryInMs, this.#over);
    return !this.#over.aborted;
  }

  #decide(error: Failure, life: Life, misread: boolean): Next {
    const { settings, random } = this.#parts;
    if (this.#over.aborted) return { next: "stop" };
    if (misread) return { next: "restart", retryInMs: 0 };
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

  /** Whether the child may only have lacked the message that it failed at, and one that gets another should try at once. */
  #mayHaveMisread(error: Failure): boolean {
    const { dialect, emit } = this.#parts;
    const sign = error instanceof ChildFailed ? error.waitingFor : error.answered;
    if (error instanceof ChildFailed && error.wasEndedFromOutside) return false;
    const before = dialect.current;
    const other = dialect.misunderstood(sign);
    if (other && other.dialect !== before) {
      emit({ type: "dialectChanged", shardId: this.#lease.shardId, to: other.dialect.name, sign });
    }
    return other?.isNew ?? false;
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
    if (settings.progressTimeoutSeconds === undefined) return;
    const step = after.next === "restart" ? "restartChild" : "releaseLease";
    const quietMs = settings.progressTimeoutSeconds * 1000;
    emit({ type: "shardStuck", shardId, waitingFor: "child", step, quietMs });
  }
}

/** Idle for so long at an ending that it may not know, a child is taken not to know it. */
const IDLE_AT_ENDING: Limit = { timeoutMs: 60_000, needsCpuTime: true };

/** Where the person wants that, nothing is waited for without end. */
function heeding(parts: SupervisedParts): SupervisedParts {
  const { settings, clock, emit, read, dialect } = parts;
  const { progressTimeoutSeconds: seconds } = settings;
  const always =
    seconds === undefined ? undefined : { timeoutMs: seconds * 1000, needsCpuTime: false };
  const limitFor = (call: Action): Limit | undefined => {
    if (!isEnding(call) || !dialect.isInDoubt(call)) return always;
    return always && always.timeoutMs <= IDLE_AT_ENDING.timeoutMs ? always : IDLE_AT_ENDING;
  };
  const startProcessor = heedful(parts.startProcessor, { limitFor, clock, emit });
  if (!always) return { ...parts, startProcessor };
  const idleMs = Math.max(
    settings.idleTimeBetweenReadsInMillis,
    settings.millisBehindLatestThresholdForReducedTps,
  );
  const timeoutMs = always.timeoutMs + idleMs;
  return { ...parts, read: heedfulReader(read, { timeoutMs, clock, emit }), startProcessor };
}
