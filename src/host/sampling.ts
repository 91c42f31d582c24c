// Samples what no event reports: the use of the machine by the daemon and its children, and how
// full the buffers are. It runs only while somebody observes the daemon, because it wakes an idle
// process.

import { performance } from "node:perf_hooks";
import type { Clock } from "../clock.ts";
import { type Emit, type Event, type Origin, ofLane } from "../events.ts";
import { usageOf } from "../processUsage.ts";

export const SAMPLE_EVERY_MS = 5_000;

export interface Buffers {
  readonly heldBytes: number;
  readonly capacityBytes: number;
}

export class Sampling {
  /** The shard and the lane of each running child, by the child's pid. */
  readonly #children = new Map<number, { readonly shardId: string } & Origin>();
  #loopDelayMs = 0;

  /** To be called with every event. */
  saw(event: Event & Origin): void {
    if (event.type === "childStarted") this.#children.set(event.pid, event);
    if (event.type === "childExited") this.#children.delete(event.pid);
  }

  /** To be called with how late each sleep of the daemon ended. */
  late(ms: number): void {
    this.#loopDelayMs = Math.max(this.#loopDelayMs, ms);
  }

  /** Emits samples until the signal is aborted. */
  async run(buffers: Buffers, emit: Emit, clock: Clock, signal: AbortSignal): Promise<void> {
    let before = performance.eventLoopUtilization();
    while (!signal.aborted) {
      const now = performance.eventLoopUtilization();
      const { user, system } = process.cpuUsage();
      const { rss, heapUsed } = process.memoryUsage();
      emit({
        type: "daemonSampled",
        cpuMs: (user + system) / 1000,
        rssBytes: rss,
        heapBytes: heapUsed,
        loopBusy: performance.eventLoopUtilization(now, before).utilization,
        loopDelayMs: this.#loopDelayMs,
        bufferedBytes: buffers.heldBytes,
        bufferLimitBytes: buffers.capacityBytes,
      });
      before = now;
      this.#loopDelayMs = 0;
      for (const [pid, { shardId, lane }] of this.#children) {
        const usage = await usageOf(pid);
        // It may have ended meanwhile.
        if (!usage || !this.#children.has(pid)) continue;
        const { cpuMs, rssBytes } = usage;
        ofLane(emit, lane)({ type: "childSampled", shardId, pid, cpuMs, rssBytes });
      }
      await clock.sleep(SAMPLE_EVERY_MS, signal);
    }
  }
}
