// Delivers one batch: refused records go to the dead letters, and all others to the target, as
// often as it takes. Failures are of three kinds:
//
// - The target stores nothing at present. The shard waits, longer after each failure. After
//   FAILURES_TO_OPEN failures in a row the circuit is open: one attempt each interval, and the log
//   says so at once and then each minute. No record is blamed.
// - The target refuses a record. It becomes a dead letter, and the others go on.
// - Something has to be set up first. The log says so loudly, and the shard waits.

import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";
import { type Backoff, backoffMs } from "../retry.ts";
import type { Batch, Refusal } from "./buffer.ts";
import type { DeadLetters } from "./deadLetters.ts";
import {
  type EmitOutcome,
  type Emitter,
  type Item,
  type Log,
  messageOf,
  TargetProblem,
} from "./pipeline.ts";

export interface DeliveryParts<U extends Item> {
  readonly emitter: Emitter<U>;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly backoff: Backoff;
  /** Rounds in which the target answers and leaves an item out, before the item is refused. */
  readonly retryLimit: number | undefined;
}

/** An attempt that changes nothing is repeated after this time. */
const SETUP_WAIT_MS = 30_000;
const FAILURES_TO_OPEN = 5;
const REMIND_MS = 60_000;

export class Delivery<U extends Item> {
  readonly #parts: DeliveryParts<U>;
  #failures = 0;
  #failingSinceMs = 0;
  #loggedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: DeliveryParts<U>) {
    this.#parts = parts;
  }

  /** @returns false if the signal ended it: what is stored of the batch is unknown. */
  async deliver(batch: Batch<U>, signal: AbortSignal): Promise<boolean> {
    if (!(await this.#bury(batch.refusals, signal))) return false;
    let left = batch.items;
    for (let answers = 0; left.length > 0; ) {
      if (signal.aborted) return false;
      const outcome = await this.#attempt(left, signal);
      if (!outcome) continue;
      answers += 1;
      const isOver = this.#parts.retryLimit !== undefined && answers >= this.#parts.retryLimit;
      const refused = isOver ? [...outcome.refused, ...outcome.again] : outcome.refused;
      const refusals = refused.map(({ item, reason }) => ({ record: item.record, reason }));
      if (!(await this.#bury(refusals, signal))) return false;
      left = isOver ? [] : outcome.again.map(({ item }) => item);
      if (left.length === 0) continue;
      this.#failed(`it did not store ${counted(left.length, "item")}: ${outcome.again[0]?.reason}`);
      await this.#wait(undefined, signal);
    }
    this.#recovered();
    return true;
  }

  /** `undefined` when the attempt failed as a whole, and the wait is over. */
  async #attempt(items: readonly U[], signal: AbortSignal): Promise<EmitOutcome<U> | undefined> {
    try {
      return await this.#parts.emitter.emit(items, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      const problem = error instanceof TargetProblem ? error : undefined;
      const needsSetup = problem?.kind === "configuration";
      this.#failed(messageOf(error), needsSetup);
      await this.#wait(needsSetup ? SETUP_WAIT_MS : problem?.retryAfterMs, signal);
      return undefined;
    }
  }

  async #wait(atLeastMs: number | undefined, signal: AbortSignal): Promise<void> {
    const { clock, backoff, random } = this.#parts;
    const isOpen = this.#failures >= FAILURES_TO_OPEN;
    const ms = isOpen ? backoff.capMs : backoffMs(this.#failures - 1, backoff, random);
    await clock.sleep(Math.max(ms, atLeastMs ?? 0), signal);
  }

  #failed(what: string, needsSetup = false): void {
    const { clock, emitter, log } = this.#parts;
    const now = clock.monotonicMs();
    if (this.#failures === 0) this.#failingSinceMs = now;
    this.#failures += 1;
    const opens = this.#failures === FAILURES_TO_OPEN;
    if (this.#failures > 1 && !opens && now - this.#loggedMs < REMIND_MS) return;
    this.#loggedMs = now;
    const waits = "Nothing is lost: the shard waits and tries again.";
    if (needsSetup) log("error", `${emitter.target} needs attention: ${what}. ${waits}`);
    else if (this.#failures < FAILURES_TO_OPEN) log("warn", `${emitter.target}: ${what}. ${waits}`);
    else {
      const attempts = counted(this.#failures, "attempt");
      const message = `${emitter.target} has failed for ${seconds(now - this.#failingSinceMs)} (${attempts}): ${what}. Check the target. ${waits}`;
      log("error", message);
    }
  }

  #recovered(): void {
    const { clock, emitter, log } = this.#parts;
    if (this.#failures > 0) {
      const ms = clock.monotonicMs() - this.#failingSinceMs;
      log("info", `${emitter.target} stores records again, after ${seconds(ms)}`);
    }
    this.#failures = 0;
    this.#loggedMs = Number.NEGATIVE_INFINITY;
  }

  #bury(refusals: readonly Refusal[], signal: AbortSignal): Promise<boolean> {
    return refusals.length === 0
      ? Promise.resolve(true)
      : this.#parts.deadLetters.store(refusals, signal);
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
