// Watches over a child that was asked something, and tells one that is slow from one that is stuck, as far as that can
// be known from outside. A child counts as alive while it writes anything, on STDERR or STDOUT, or uses CPU time.
//
// What cannot be known: a child that waits for something slow (an answer over the network, a lock) looks just like one
// that waits for something that will never come; it can write a line now and then, or the timeout be longer. A child
// that turns in an endless loop looks just like one that calculates; for that there is timeoutInSeconds. Where the
// system does not tell CPU times (it is asked for in /proc), writing is the only sign.

import type { Action } from "../child/messages.ts";
import type { RecordProcessor, SignsOfLife, StartProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";

export interface Limit {
  readonly timeoutMs: number;
  /** Where CPU times are not known, the child is left alone: silence is no proof. */
  readonly needsCpuTime: boolean;
}

export interface HeedOptions {
  /** Absent: the call may take any time. Asked when the call begins. */
  readonly limitFor: (call: Action) => Limit | undefined;
  readonly clock: Clock;
  readonly emit: Emit;
}

/**
 * Looks per timeout. So many in a row without a sign mean that the child is stuck: a machine that was suspended makes
 * one look late, and not the child guilty.
 */
const LOOKS = 4;
/** What runtimes with threads of their own use while they do nothing stays below this part of a CPU. */
const IDLE_CPU_SHARE = 0.01;

/** Processors whose answers are watched over. */
export function heedful(start: StartProcessor, options: HeedOptions): StartProcessor {
  return async (shardId, answerCheckpoint, attempt) => {
    const processor = await start(shardId, answerCheckpoint, attempt);
    const heed = <T>(name: Action, call: () => Promise<T>): Promise<T> => {
      const limit = options.limitFor(name);
      return limit ? heedCall(call(), shardId, processor, { ...options, ...limit }) : call();
    };
    return {
      pid: processor.pid,
      failed: processor.failed,
      exited: processor.exited,
      initialize: (position) => heed("initialize", () => processor.initialize(position)),
      processRecords: (records, behindMs, written) =>
        heed("processRecords", () => processor.processRecords(records, behindMs, written)),
      shutdownRequested: () => heed("shutdownRequested", () => processor.shutdownRequested()),
      leaseLost: () => heed("leaseLost", () => processor.leaseLost()),
      shardEnded: () => heed("shardEnded", () => processor.shardEnded()),
      signsOfLife: () => processor.signsOfLife(),
      giveUp: (what) => processor.giveUp(what),
      stop: () => processor.stop(),
      kill: () => processor.kill(),
    };
  };
}

interface WatchOptions extends Limit {
  readonly clock: Clock;
  readonly emit: Emit;
}

async function heedCall<T>(
  call: Promise<T>,
  shardId: string,
  processor: RecordProcessor,
  options: WatchOptions,
): Promise<T> {
  const over = new AbortController();
  const watched = watch(shardId, processor, options, over.signal);
  try {
    return await call;
  } finally {
    over.abort();
    await watched;
  }
}

async function watch(
  shardId: string,
  processor: RecordProcessor,
  { timeoutMs, needsCpuTime, clock, emit }: WatchOptions,
  over: AbortSignal,
): Promise<void> {
  const { pid } = processor;
  const lookMs = timeoutMs / LOOKS;
  const begunMs = clock.monotonicMs();
  let [before, quiet, told]: [SignsOfLife | undefined, number, boolean] = [undefined, 0, false];
  for (;;) {
    await clock.sleep(lookMs, over);
    if (over.aborted) return;
    const now = await processor.signsOfLife();
    if (over.aborted) return;
    const isJudged = !needsCpuTime || now.cpuMs !== undefined;
    quiet = isJudged && !(before && showsLife(before, now, lookMs)) ? quiet + 1 : 0;
    before = now;
    const elapsedMs = clock.monotonicMs() - begunMs;
    if (quiet >= LOOKS) {
      processor.giveUp(`showed no sign of life for ${Math.round(timeoutMs / 1000)} s`);
      return;
    }
    if (elapsedMs >= timeoutMs && !told) {
      emit({ type: "childSlow", shardId, pid, elapsedMs });
      told = true;
    }
  }
}

function showsLife(before: SignsOfLife, now: SignsOfLife, betweenMs: number): boolean {
  if (now.waitsForUs || now.writtenBytes !== before.writtenBytes) return true;
  if (now.cpuMs === undefined || before.cpuMs === undefined) return false;
  // Less than before: a process that it had started has ended.
  return Math.abs(now.cpuMs - before.cpuMs) > betweenMs * IDLE_CPU_SHARE;
}
