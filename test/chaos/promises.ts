// Checks what the lease table promises. After a checkpoint is stored, the next child starts there.
// A worker that has lost the lease can no longer checkpoint. A lane's checkpoint is kept by its
// daemon only: the next child of the lane starts there, as long as the daemon has the lease.

import type { FaultEntry } from "./faultLog.ts";
import type { Life } from "./journal.ts";
import { isBefore } from "./places.ts";

export function findBrokenPromises(
  lives: readonly Life[],
  faults: readonly FaultEntry[],
): readonly string[] {
  const shards = byShard(lives, faults);
  return [...findForgottenCheckpoints(shards), ...findCheckpointsWithoutLease(shards)];
}

/**
 * The processes of each shard, or of each lane of one, that received records, in the order in which
 * they started. A process that was stopped before its first record is left out: it may start long
 * after its time, and its writes have no effect.
 */
function byShard(lives: readonly Life[], faults: readonly FaultEntry[]) {
  const shards = new Map<string, Life[]>();
  for (const life of lives.toSorted((a, b) => a.initializedMs - b.initializedMs)) {
    if (life.deliveries.length === 0 || wasStoppedAtFirst(life, faults)) continue;
    const place = `${life.shardId} ${life.lane}`;
    const list = shards.get(place) ?? [];
    if (list.length === 0) shards.set(place, list);
    list.push(life);
  }
  return [...shards.values()];
}

function wasStoppedAtFirst(life: Life, faults: readonly FaultEntry[]): boolean {
  const untilMs = life.deliveries[0]?.atMs ?? life.initializedMs;
  return faults.some(
    (fault) =>
      fault.name.endsWith(" stopped") &&
      "pid" in fault.target &&
      [life.pid, life.daemonPid].includes(fault.target.pid) &&
      fault.fromMs < untilMs &&
      (fault.untilMs ?? untilMs) >= life.startedMs - SPAWN_MS,
  );
}

/** A daemon reads the lease and then starts the child. */
const SPAWN_MS = 1_000;

/** A child must start at the last checkpoint that the table had stored before, or after it. */
function findForgottenCheckpoints(shards: ReturnType<typeof byShard>): string[] {
  return shards.flatMap((lives) =>
    lives.flatMap((life) => {
      const forgotten = predecessorsOf(life, lives)
        .flatMap((other) => other.checkpoints.map((asked) => ({ ...asked, file: other.file })))
        .find(
          ({ error, answeredMs, upTo }) =>
            error === null && answeredMs < life.initializedMs && isBefore(life.from, upTo),
        );
      if (!forgotten) return [];
      const { upTo, file } = forgotten;
      return [
        `FORGOTTEN: ${life.file} began at ${life.from}, though ${upTo} was stored for ${file}`,
      ];
    }),
  );
}

/** The processes whose checkpoints bind this one: with lanes, only the one that it replaces. */
function predecessorsOf(life: Life, lives: readonly Life[]): readonly Life[] {
  if (life.lane === undefined) return lives.filter((other) => other !== life);
  const replaced = lives
    .slice(0, lives.indexOf(life))
    .findLast(
      ({ daemonPid, attempt = 0 }) => daemonPid === life.daemonPid && attempt + 1 === life.attempt,
    );
  return replaced ? [replaced] : [];
}

/**
 * Once another worker's child has started, that worker holds the lease, and a checkpoint of any
 * other must be refused. The position that is already stored is not a new checkpoint: Java confirms
 * it without a write.
 */
function findCheckpointsWithoutLease(shards: ReturnType<typeof byShard>): string[] {
  return shards.flatMap((lives) =>
    lives.flatMap((life, index) => {
      const successor = lives[index + 1];
      if (!successor) return [];
      const isStored = (upTo: string) =>
        upTo === life.from ||
        life.checkpoints.some(
          (asked) =>
            asked.error === null &&
            asked.upTo === upTo &&
            asked.answeredMs < successor.initializedMs,
        );
      return life.checkpoints
        .filter(({ askedMs, error }) => error === null && askedMs > successor.initializedMs)
        .filter(({ upTo }) => !isStored(upTo))
        .map(
          ({ upTo }) => `STOLEN: ${upTo} was taken of ${life.file} after ${successor.file} began`,
        );
    }),
  );
}
