// Keeps a shard running: when its child fails, decides what comes next, and whether this worker
// goes on or releases the lease. Other shards are not affected. No record is skipped, unless the
// user has set a destination for the records that cannot be processed.

import { ChildFailed } from "../child/childFailed.ts";
import { type ChildDialect, isEnding } from "../child/dialect.ts";
import type { Action } from "../child/messages.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import { backoffMs } from "../retry.ts";
import { anySignal, sharedController } from "../signals.ts";
import { consumeShard } from "./consumer.ts";
import { causeOf, type DeadLettering, sendToDeadLetters } from "./deadLetters.ts";
import { ShardEndNotCheckpointed } from "./endings.ts";
import { FailureIsolation, type NextStep } from "./failureIsolation.ts";
import { LatestStart } from "./latestStart.ts";
import type { Life, ShardParts, SupervisionSettings } from "./life.ts";
import { RESTART_BACKOFF, RestartBudget } from "./restartBudget.ts";
import { type ProgressLimit, watchedProcessors } from "./watchChild.ts";
import { watchedReader } from "./watchReader.ts";

export interface SupervisedParts extends ShardParts {
  readonly settings: SupervisionSettings;
  /** The dialect of the protocol that the application's children use. */
  readonly dialect: ChildDialect;
  readonly random: () => number;
}

/** A failure of a child. Any other error is a bug in the daemon, and ends it. */
type Failure = ChildFailed | ShardEndNotCheckpointed;

/** What follows a failure. */
type Next =
  | {
      readonly next: "restart";
      readonly retryInMs: number;
      /** Before the restart these records go to the dead letters. */
      readonly deadLetter?: DeadLettering;
    }
  | { readonly next: "releaseLease" | "exit" | "stop" };

/** Two stuck children in a row are not a coincidence: another worker may succeed. */
const STUCK_CHILDREN_MAX = 2;

/**
 * Returns when the shard has ended, the lease is lost, a stop is requested, or another worker
 * should take the lease.
 *
 * @throws the child's failure when the user wants it to end the daemon (`onChildFailure = exit`).
 */
export function superviseShard(lease: HeldLease, parts: SupervisedParts): Promise<void> {
  return supervise(lease, withWatchedChild(withWatchedReader(parts)));
}

/** Does the same without limits of the time without progress, beyond those in the parts. */
export async function supervise(lease: HeldLease, parts: SupervisedParts): Promise<void> {
  const { signal: over, release } = anySignal(lease.lost, lease.stopRequested);
  const isolation = new FailureIsolation(parts.settings);
  const failures = new Failures(lease, parts, over);
  const latest = new LatestStart(parts.clock.now());
  try {
    for (let attempt = 1; ; attempt += 1) {
      const restart = sharedController();
      const progress = { inFlight: undefined, madeProgress: false };
      const life: Life = { attempt, isolation, latest, restart, ...progress };
      const error = await failureOf(consumeShard(lease, parts, life));
      if (restart.signal.aborted && !over.aborted) continue;
      if (!error || !(await failures.recover(error, life))) return;
    }
  } finally {
    release();
  }
}

/**
 * @returns how the child failed; `undefined` when its work ended in order.
 * @throws any other error, which ends the daemon.
 */
async function failureOf(life: Promise<void>): Promise<Failure | undefined> {
  try {
    await life;
    return undefined;
  } catch (error) {
    if (error instanceof ChildFailed || error instanceof ShardEndNotCheckpointed) return error;
    throw error;
  }
}

/** The failures of a shard's children while this worker holds the lease. */
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

  /** Does what the failure requires. @returns whether a new child should start. */
  async recover(error: Failure, life: Life): Promise<boolean> {
    const mayHaveMisread = this.#mayHaveMisread(error);
    const after = this.#decide(error, life, mayHaveMisread);
    this.#report(error, life, after);
    if (after.next === "exit") throw error;
    if (after.next !== "restart") return false;
    if (after.deadLetter) await this.#sendToDeadLetters(after.deadLetter, life.isolation);
    await this.#parts.clock.sleep(after.retryInMs, this.#over);
    return !this.#over.aborted;
  }

  #decide(error: Failure, life: Life, mayHaveMisread: boolean): Next {
    const { settings, random } = this.#parts;
    if (this.#over.aborted) return { next: "stop" };
    if (mayHaveMisread) return { next: "restart", retryInMs: 0 };
    if (error instanceof ShardEndNotCheckpointed) return this.#restartWithinBudget();
    if (settings.onChildFailure !== "restart") return { next: settings.onChildFailure };
    const isolated = this.#isolate(life);
    if (isolated?.step === "split") return { next: "restart", retryInMs: 0 };
    const deadLetter = this.#deadLetteringOf(error, life, isolated);
    if (deadLetter) return { next: "restart", retryInMs: 0, deadLetter };
    if (isolated && this.#isLimited(life)) {
      const retryInMs = backoffMs(isolated.failures - 1, RESTART_BACKOFF, random);
      return { next: "restart", retryInMs };
    }
    if (error.reason === "stuck") {
      this.#stuckInARow = life.madeProgress ? 1 : this.#stuckInARow + 1;
      if (this.#stuckInARow >= STUCK_CHILDREN_MAX) return { next: "releaseLease" };
    } else {
      this.#stuckInARow = 0;
    }
    return this.#restartWithinBudget();
  }

  /**
   * Whether the child may have failed only because it does not know the message, and a new child
   * that gets another dialect's message should start at once.
   */
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

  #isolate({ inFlight, isolation }: Life): NextStep | undefined {
    return inFlight && isolation.failed(inFlight, this.#parts.clock.now());
  }

  /** `undefined` while the records are retried, or where there is no destination for them. */
  #deadLetteringOf(
    error: ChildFailed,
    { inFlight: records }: Life,
    isolated: NextStep | undefined,
  ): DeadLettering | undefined {
    const { deadLetters: place } = this.#parts;
    if (isolated?.step !== "deadLetter" || !place || !records) return undefined;
    const { failures: attempts, why: condition } = isolated;
    const reason = { attempts, condition, cause: causeOf(error) };
    return { records, shardId: this.#lease.shardId, place, reason };
  }

  async #sendToDeadLetters(letters: DeadLettering, isolation: FailureIsolation): Promise<void> {
    const sent = await sendToDeadLetters(letters, this.#parts, this.#over);
    if (sent) isolation.deadLettered(letters.records);
  }

  /**
   * Whether the retries come to an end by themselves, because the records are finally split or
   * dead-lettered. Such retries do not use up the restart budget.
   */
  #isLimited({ inFlight }: Life): boolean {
    const { settings, deadLetters } = this.#parts;
    if (settings.bisectBatchOnFunctionError && inFlight && inFlight.count > 1) return true;
    return deadLetters !== undefined && settings.maximumRetryAttempts >= 0;
  }

  #restartWithinBudget(): Next {
    const { clock, random } = this.#parts;
    const retryInMs = this.#budget.spend(clock.monotonicMs(), random);
    return retryInMs === undefined ? { next: "releaseLease" } : { next: "restart", retryInMs };
  }

  #report(error: Failure, { attempt, inFlight }: Life, after: Next): void {
    const { emit, settings } = this.#parts;
    const { shardId } = this.#lease;
    emit({
      type: "childFailed",
      shardId,
      attempt,
      error,
      cause: error instanceof ChildFailed ? error.reason : "shardEndNotCheckpointed",
      records: inFlight?.count ?? 0,
      first: inFlight?.first,
      last: inFlight?.last,
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

/**
 * A child that is idle for this time after an ending's message is assumed not to know the message.
 */
const IDLE_AT_ENDING: ProgressLimit = { timeoutMs: 60_000, needsCpuTime: true };

/** Limits how long the child may make no progress, as the settings require. */
export function withWatchedChild(parts: SupervisedParts): SupervisedParts {
  const { settings, clock, emit, dialect } = parts;
  const { progressTimeoutSeconds: seconds } = settings;
  const always =
    seconds === undefined ? undefined : { timeoutMs: seconds * 1000, needsCpuTime: false };
  const limitFor = (call: Action): ProgressLimit | undefined => {
    if (!isEnding(call) || !dialect.isInDoubt(call)) return always;
    return always && always.timeoutMs <= IDLE_AT_ENDING.timeoutMs ? always : IDLE_AT_ENDING;
  };
  const startProcessor = watchedProcessors(parts.startProcessor, { limitFor, clock, emit });
  return { ...parts, startProcessor };
}

/** Limits how long the reader may make no progress, as the settings require. */
export function withWatchedReader(parts: SupervisedParts): SupervisedParts {
  const { settings, clock, emit, read } = parts;
  const { progressTimeoutSeconds: seconds } = settings;
  if (seconds === undefined) return parts;
  const idleMs = Math.max(
    settings.idleTimeBetweenReadsInMillis,
    settings.millisBehindLatestThresholdForReducedTps,
  );
  const timeoutMs = seconds * 1000 + idleMs;
  return { ...parts, read: watchedReader(read, { timeoutMs, clock, emit }) };
}
