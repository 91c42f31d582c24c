// How many lanes a shard should have (`parallelizationFactor = auto`). Pure. Lanes are added while
// the shard is behind and all lanes are busy, unless the last addition has not made it faster: then
// something else is the limit. Lanes are taken away while most of them are idle.

/** What a shard's lanes did in one interval. */
export interface LanesSeen {
  readonly lanes: number;
  /** The part of the time in which a lane had a batch, 0 to 1: the mean over all lanes. */
  readonly busy: number;
  /** How far the shard's tip is ahead of what was read. */
  readonly behindMs: number;
  readonly bytesPerSecond: number;
}

export const LANES_MAX = 32;
const BEHIND_MS = 5_000;
const BUSY = 0.8;
/** Half the lanes would then be busy for less than 60 % of the time: no lane comes back soon. */
const IDLE = 0.3;
/** What counts as faster. */
const GAIN = 1.1;

/** @param before the interval before the last change; absent: nothing was changed yet. */
export function lanesFor(now: LanesSeen, before?: LanesSeen): number {
  const { lanes, busy, behindMs } = now;
  if (behindMs < BEHIND_MS) return busy < IDLE ? Math.max(1, Math.ceil(lanes / 2)) : lanes;
  const wasAdded = before !== undefined && before.lanes < lanes;
  const hasHelped = !wasAdded || now.bytesPerSecond >= before.bytesPerSecond * GAIN;
  return busy >= BUSY && hasHelped ? Math.min(LANES_MAX, lanes * 2) : lanes;
}
