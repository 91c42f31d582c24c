// Limits how many of a child's lines reach the log. Bursts pass. Lines that arrive too fast for
// longer are dropped and counted, and the count is reported once a second. Other events always
// pass, and the last lines are kept for the error if the child fails. A line on STDERR that passes
// gets its level.

import type { Clock } from "../../clock.ts";
import type { Emit, Event } from "../../events.ts";
import { OutputLevels } from "./outputLevel.ts";

/** Lines that may arrive at once: the output of a start, a few stack traces. */
export const BURST_LINES_MAX = 1_000;
/** Sustained rate per child and stream: at 100 bytes a line, nearly a gigabyte a day. */
export const LINES_PER_SECOND_MAX = 100;
/** Interval between two reports of dropped lines. */
const REPORT_EVERY_MS = 1_000;

type Output = Extract<Event, { type: "childOutput" | "childLog" }>;
type Stream = "stdout" | "stderr";

/** A listener for the events of one child, which passes them on to the given one. */
export function limitOutput({ emit, clock }: { readonly emit: Emit; readonly clock: Clock }): Emit {
  const levels = new OutputLevels();
  const leveled = (event: Output): Output =>
    event.type === "childOutput" && event.stream === "stderr"
      ? { ...event, level: levels.next(event.line) }
      : event;
  const gates = { stdout: new Gate(clock), stderr: new Gate(clock) };
  const ended = new AbortController();
  const report = (stream: Stream, { shardId, pid }: Output) => {
    const lines = gates[stream].takeDropped();
    if (lines > 0) emit({ type: "childOutputDropped", shardId, pid, stream, lines });
  };
  const pending: Partial<Record<Stream, () => void>> = {};
  const reportLater = async (stream: Stream, output: Output) => {
    pending[stream] = () => report(stream, output);
    await clock.sleep(REPORT_EVERY_MS, ended.signal);
    pending[stream]?.();
    delete pending[stream];
  };
  return (event) => {
    if (event.type === "childOutput" || event.type === "childLog") {
      const stream = event.type === "childOutput" ? event.stream : "stdout";
      if (gates[stream].admits()) emit(leveled(event));
      else if (!pending[stream]) void reportLater(stream, event);
      return;
    }
    if (event.type === "childExited") {
      for (const reportNow of Object.values(pending)) reportNow();
      ended.abort();
    }
    emit(event);
  };
}

class Gate {
  readonly #clock: Clock;
  #allowance = BURST_LINES_MAX;
  #filledMs: number;
  #dropped = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledMs = clock.monotonicMs();
  }

  /** Whether the next line may pass. If not, it is counted. */
  admits(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#filledMs) * LINES_PER_SECOND_MAX) / 1000;
    this.#allowance = Math.min(BURST_LINES_MAX, this.#allowance + earned);
    this.#filledMs = nowMs;
    if (this.#allowance < 1) {
      this.#dropped += 1;
      return false;
    }
    this.#allowance -= 1;
    return true;
  }

  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}
