// Keeps several children running for one shard. Each is a lane: it receives the records whose
// partition keys have its hash, in order, and believes that it has the shard. The next worker
// starts behind the low-water mark.
//
// A change of the number of lanes (`auto`) is a restart from the low-water mark. If the new lanes
// started while an old one might still repeat records, a key's older records could come last.

import type { HeldLease } from "../../leases/heldLease.ts";
import { waitForParents } from "../consumer.ts";
import { LatestStart } from "../latestStart.ts";
import { type LanedParts, Lanes } from "./lanes.ts";
import { type LanesSeen, lanesFor } from "./scale.ts";

/** How long lanes are watched before their number may change. */
const SCALE_EVERY_MS = 30_000;

/**
 * Returns when the shard has ended, the lease is lost, a stop is requested, or another worker
 * should take the lease.
 *
 * @throws the failure of a child when the user wants it to end the daemon.
 */
export async function superviseLanes(lease: HeldLease, parts: LanedParts): Promise<void> {
  const facts = await waitForParents(lease, parts);
  if (!facts) return;
  const { parallelizationFactor: wanted } = parts.settings;
  const latest = new LatestStart(parts.clock.now());
  let { checkpoint } = facts;
  let change: Change | undefined = { lanes: wanted === "auto" ? 1 : wanted };
  while (change && checkpoint.sequenceNumber !== "SHARD_END") {
    const isAgain = change.seen !== undefined;
    const at = { ...facts, checkpoint };
    const lanes: Lanes = new Lanes(lease, at, parts, change.lanes, latest, isAgain);
    const over = new AbortController();
    const changes: Promise<Change | undefined> =
      wanted === "auto"
        ? changeOf(lanes, change, lease, parts, over.signal)
        : Promise.resolve(undefined);
    try {
      await lanes.run();
    } finally {
      over.abort();
    }
    change = await changes;
    if (lease.lost.aborted || lease.stopRequested.aborted) return;
    checkpoint = lanes.mark;
  }
}

interface Change {
  readonly lanes: number;
  /** What the lanes did before. */
  readonly seen?: LanesSeen;
}

/** Ends the lanes when another number is due. @returns `undefined` if they ended before. */
async function changeOf(
  lanes: Lanes,
  { lanes: from, seen: before }: Change,
  { shardId }: HeldLease,
  { clock, emit }: LanedParts,
  over: AbortSignal,
): Promise<Change | undefined> {
  for (;;) {
    const [totals, fromMs] = [lanes.totals, clock.monotonicMs()];
    await clock.sleep(SCALE_EVERY_MS, over);
    if (over.aborted) return undefined;
    const { workedMs, bytes, behindMs } = lanes.totals;
    const elapsedMs = clock.monotonicMs() - fromMs;
    const busy = (workedMs - totals.workedMs) / elapsedMs / from;
    const bytesPerSecond = ((bytes - totals.bytes) / elapsedMs) * 1000;
    const seen = { lanes: from, busy, behindMs, bytesPerSecond };
    const to = lanesFor(seen, before);
    if (to === from) continue;
    emit({ type: "lanesChanged", shardId, from, to, busy, behindMs });
    lanes.end();
    return { lanes: to, seen };
  }
}
