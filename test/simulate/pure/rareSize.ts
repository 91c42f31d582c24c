// The size of the fleets that are not small. Small fleets find the most errors in the least time,
// but some must be as large as fleets get. This is decided independently of everything else that
// the seed decides, so that small fleets stay the same.

import { Random } from "../random.ts";

interface RareSize {
  readonly workers: number;
  readonly shards: number;
}

/** Shares of all seeds. The sizes are spread evenly over the orders of magnitude. */
const KINDS = [
  { share: 0.0005, workers: [10, 100], shards: [1_000, 10_000] },
  { share: 0.01, workers: [4, 40], shards: [6, 600] },
] as const;

/** `undefined`: the fleet is small, as most are. */
export function rareSize(seed: number): RareSize | undefined {
  const random = new Random(seed + 0x5ca1e);
  const dice = random.next();
  const kind = KINDS.find(({ share }) => dice < share);
  if (!kind) return undefined;
  const between = ([from, to]: readonly [number, number]) =>
    Math.round(from * (to / from) ** random.next());
  return { workers: between(kind.workers), shards: between(kind.shards) };
}
