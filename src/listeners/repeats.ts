// Decides which failed calls are logged. When a service is unreachable, every attempt for every
// shard fails, and each failure is an event. The log's reader needs one warning, a reminder each
// minute, and a message when calls succeed again. If a transient failure turns into one that needs
// an operator, it is logged immediately.

import type { Event } from "../events.ts";

const REMIND_MS = 60_000;

/** Failures of one scope. The time of the last line outlives a streak of failures. */
interface Told {
  atMs: number;
  /** The last line was about a failure that only an operator can correct. */
  lasting: boolean;
  /** A failure of this streak was logged, so its end is logged, too. */
  isOpen: boolean;
}

export class Repeats {
  readonly #told = new Map<string, Told>();

  /** Whether the event is to be logged. */
  admits(event: Event, nowMs: number): boolean {
    if (event.type === "serviceTrouble") {
      return this.#isNews(`${event.service} ${event.scope}`, event.lasting, nowMs);
    }
    if (event.type !== "serviceRecovered") return true;
    const told = this.#told.get(`${event.service} ${event.scope}`);
    const wasTold = told?.isOpen ?? true;
    if (told) told.isOpen = false;
    return wasTold;
  }

  #isNews(scope: string, lasting: boolean, nowMs: number): boolean {
    const told = this.#told.get(scope);
    if (told && isRecent(told, nowMs) && (told.lasting || !lasting)) return false;
    if (!told) this.#forgetOld(nowMs);
    this.#told.set(scope, { atMs: nowMs, lasting, isOpen: true });
    return true;
  }

  #forgetOld(nowMs: number): void {
    for (const [scope, told] of this.#told) {
      if (!told.isOpen && !isRecent(told, nowMs)) this.#told.delete(scope);
    }
  }
}

/** A wall clock may jump back, too. */
function isRecent({ atMs }: Told, nowMs: number): boolean {
  return Math.abs(nowMs - atMs) < REMIND_MS;
}
