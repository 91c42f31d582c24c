// Limits how long a child may take to answer without making progress. It distinguishes a slow child
// from a stuck one, as far as that can be observed from outside. A child makes progress while it
// writes anything to STDERR or STDOUT, or uses CPU time.
//
// Two cases cannot be decided. A child that waits for something slow (a response over the
// network, a lock) looks like one that waits forever: it can write a line to STDERR now and then,
// or the user can raise the timeout. A child in an endless loop looks like one that calculates:
// timeoutInSeconds limits that. CPU times come from /proc; on a system without it, output is the
// only sign.

import type { Action } from "../child/messages.ts";
import type { Activity, RecordProcessor, StartProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { OVER } from "../signals.ts";

export interface ProgressLimit {
  readonly timeoutMs: number;
  /**
   * True: the limit applies only if the CPU time is known, because a silent child may be working.
   */
  readonly needsCpuTime: boolean;
}

export interface WatchChildOptions {
  /** The limit of a call, decided when the call begins. `undefined`: the call may take any time. */
  readonly limitFor: (call: Action) => ProgressLimit | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * Checks in one timeout. The child is stuck when this many checks in a row find no progress. After
 * a machine was suspended, one check alone is late, so the child is not blamed for the suspension.
 */
const CHECKS = 4;
/** An idle runtime with threads of its own stays below this fraction of one CPU. */
const IDLE_CPU_SHARE = 0.01;

/** Starts processors whose calls have a limit without progress. */
export function watchedProcessors(
  start: StartProcessor,
  options: WatchChildOptions,
): StartProcessor {
  return async (shardId, answerCheckpoint, attempt) => {
    const processor = await start(shardId, answerCheckpoint, attempt);
    const watched = <T>(name: Action, call: () => Promise<T>): Promise<T> => {
      const limit = options.limitFor(name);
      return limit ? watchCall(call(), shardId, processor, { ...options, ...limit }) : call();
    };
    return {
      pid: processor.pid,
      failed: processor.failed,
      exited: processor.exited,
      initialize: (position) => watched("initialize", () => processor.initialize(position)),
      processRecords: (records, behindMs, written) =>
        watched("processRecords", () => processor.processRecords(records, behindMs, written)),
      shutdownRequested: () => watched("shutdownRequested", () => processor.shutdownRequested()),
      leaseLost: () => watched("leaseLost", () => processor.leaseLost()),
      shardEnded: () => watched("shardEnded", () => processor.shardEnded()),
      activity: () => processor.activity(),
      giveUp: (what) => processor.giveUp(what),
      stop: () => processor.stop(),
      kill: () => processor.kill(),
    };
  };
}

interface WatchOptions extends ProgressLimit {
  readonly clock: Clock;
  readonly emit: Emit;
}

async function watchCall<T>(
  call: Promise<T>,
  shardId: string,
  processor: RecordProcessor,
  options: WatchOptions,
): Promise<T> {
  const over = new AbortController();
  const watching = watch(shardId, processor, options, over.signal);
  try {
    return await call;
  } finally {
    over.abort(OVER);
    await watching;
  }
}

async function watch(
  shardId: string,
  processor: RecordProcessor,
  { timeoutMs, needsCpuTime, clock, emit }: WatchOptions,
  over: AbortSignal,
): Promise<void> {
  const { pid } = processor;
  const intervalMs = timeoutMs / CHECKS;
  const startedMs = clock.monotonicMs();
  let before: Activity | undefined;
  let [quietChecks, isReported] = [0, false];
  for (;;) {
    await clock.sleep(intervalMs, over);
    if (over.aborted) return;
    const now = await processor.activity();
    if (over.aborted) return;
    const counts = !needsCpuTime || now.cpuMs !== undefined;
    const progresses = before !== undefined && hasProgressed(before, now, intervalMs);
    quietChecks = counts && !progresses ? quietChecks + 1 : 0;
    before = now;
    const elapsedMs = clock.monotonicMs() - startedMs;
    if (quietChecks >= CHECKS) {
      processor.giveUp(`showed no activity for ${Math.round(timeoutMs / 1000)} s`);
      return;
    }
    if (elapsedMs >= timeoutMs && !isReported) {
      emit({ type: "childSlow", shardId, pid, elapsedMs });
      isReported = true;
    }
  }
}

function hasProgressed(before: Activity, now: Activity, betweenMs: number): boolean {
  if (now.waitsForDaemon || now.writtenBytes !== before.writtenBytes) return true;
  if (now.cpuMs === undefined || before.cpuMs === undefined) return false;
  // A sum that falls is activity too: a process that the child had started has ended.
  return Math.abs(now.cpuMs - before.cpuMs) > betweenMs * IDLE_CPU_SHARE;
}
