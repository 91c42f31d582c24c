// Virtual time: a queue of events, run one after the other. After an event that resumes code, all
// promises that can settle without time passing do so before the next event starts. A run is thus a
// function of its seed.

/** What the queue needs to know of the process whose code an event runs (process.ts). */
export interface EventOwner {
  readonly dead: boolean;
  readonly paused: boolean;
  defer(event: Event): void;
}

export interface Event {
  readonly atMs: number;
  readonly order: number;
  /** The process whose code the event runs; none for events in the services and in the world. */
  readonly process: EventOwner | undefined;
  run: (() => void) | undefined;
}

export class Schedule {
  /** Milliseconds of true time since the run began. */
  nowMs = 0;
  events = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  at(atMs: number, run: () => void, process?: EventOwner): Event {
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#order++, process, run };
    this.#push(event);
    return event;
  }

  in(ms: number, run: () => void, process?: EventOwner): Event {
    return this.at(this.nowMs + ms, run, process);
  }

  /** Runs until no event is left before `untilMs`, or until `over` returns true after an event. */
  async runUntil(untilMs: number, over: () => boolean): Promise<void> {
    for (let event = this.#next(untilMs); event; event = this.#next(untilMs)) {
      event.run?.();
      if (event.process) await settle();
      if (over()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** The same for code without promises, where nothing has to settle. */
  runAtOnce(untilMs: number, over: () => boolean): void {
    for (let event = this.#next(untilMs); event; event = this.#next(untilMs)) {
      event.run?.();
      if (over()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  /** The next event until `untilMs`, with the time advanced to it. */
  #next(untilMs: number): Event | undefined {
    for (let next = this.#heap[0]; next && next.atMs <= untilMs; next = this.#heap[0]) {
      this.#pop();
      const { process, run } = next;
      if (!run || process?.dead) continue;
      this.nowMs = next.atMs;
      if (process?.paused) {
        process.defer(next);
        continue;
      }
      this.events++;
      return next;
    }
    return undefined;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up];
      if (!parent || before(parent, event)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      let child = heap[down];
      if (!child) break;
      const right = heap[down + 1];
      if (right && before(right, child)) [down, child] = [down + 1, right];
      if (before(last, child)) break;
      heap[i] = child;
      i = down;
    }
    heap[i] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Waits until all promises that can settle have: an immediate runs when no microtask is left. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
