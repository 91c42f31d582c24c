// A consumer with the logic of src/shard but without a child process. It waits for the parents,
// reads from the checkpoint and processes batch after batch. Sometimes it checkpoints. At the end
// it creates the child shards' leases and stores the end of the shard.

import type { HeldLease } from "../../src/leases/heldLease.ts";
import { CheckpointError } from "../../src/model/errors.ts";
import { type Position, SHARD_END } from "../../src/model/position.ts";
import type { Invariants } from "./invariants.ts";
import type { Process } from "./process.ts";
import { asChild, nextIndex, positionOf, type SimShard, type SimStream } from "./stream.ts";

export interface Pace {
  readonly parentPollMs: number;
  readonly readMs: number;
  readonly workMs: number;
  readonly maxRecords: number;
  /** The probability that a batch is checkpointed. */
  readonly checkpoints: number;
}

export interface ConsumerParts {
  readonly process: Process;
  readonly stream: SimStream;
  readonly pace: Pace;
  readonly invariants: Invariants;
  /** True time. */
  readonly nowMs: () => number;
}

/** Nothing more will arrive, so frequent reads are not needed. */
const QUIET_MS = 3_600_000;

export async function consumeVirtually(lease: HeldLease, parts: ConsumerParts): Promise<void> {
  const { process, stream, pace, invariants } = parts;
  const shard = stream.shards.get(lease.shardId);
  if (!shard) return invariants.violated(`a lease of ${lease.shardId}, which does not exist`);
  const over = AbortSignal.any([lease.lost, lease.stopRequested]);
  while (!(await lease.parentsEnded())) {
    if (over.aborted) return;
    await lease.parentsChanged(pace.parentPollMs);
    if (over.aborted) return;
  }
  const facts = await lease.read();
  if (!facts || facts.checkpoint.sequenceNumber === "SHARD_END") return;
  invariants.begins(shard, process);
  const next = await work(lease, shard, nextIndex(shard, facts.checkpoint), over, parts);
  if (next === undefined) return;
  await endShard(lease, shard, parts);
}

/** @returns the number of records, once all of them were processed. */
async function work(
  lease: HeldLease,
  shard: SimShard,
  from: number,
  over: AbortSignal,
  { process, stream, pace, invariants, nowMs }: ConsumerParts,
): Promise<number | undefined> {
  let done = from;
  let stored = from;
  for (;;) {
    const quiet = stream.isOver(shard, done, nowMs());
    await process.sleep(quiet ? QUIET_MS : pace.readMs * process.random.between(0.5, 1.5), over);
    if (!lease.trusted) return undefined;
    if (over.aborted) {
      // A child may checkpoint when it receives shutdownRequested.
      if (done > stored && process.random.chance(0.7))
        await store(lease, positionOf(shard, done - 1));
      return undefined;
    }
    const closed = shard.closedMs !== undefined;
    const to = Math.min(stream.tip(shard, nowMs()), done + pace.maxRecords);
    if (to > done) {
      await process.sleep(pace.workMs * process.random.between(0.5, 1.5));
      invariants.consumed(shard, done, to, process);
      done = to;
      if (process.random.chance(pace.checkpoints)) {
        if ((await store(lease, positionOf(shard, done - 1))) === "stored") stored = done;
      }
      if (!lease.trusted) return undefined;
    }
    if (closed && done >= stream.tip(shard, nowMs())) return done;
  }
}

async function endShard(
  lease: HeldLease,
  shard: SimShard,
  { process, pace }: ConsumerParts,
): Promise<void> {
  while (lease.trusted) {
    const result = await lease.addChildren(shard.children.map(asChild));
    if (result === "lost") return;
    if (result === "added") break;
    if (lease.stopRequested.aborted) return;
    await process.sleep(pace.parentPollMs, lease.lost);
  }
  while (lease.trusted && (await store(lease, SHARD_END)) === "refused") {
    await process.sleep(pace.parentPollMs, lease.lost);
  }
}

async function store(lease: HeldLease, position: Position): Promise<"stored" | "lost" | "refused"> {
  try {
    return await lease.checkpoint(position);
  } catch (error) {
    if (error instanceof CheckpointError) return "refused";
    throw error;
  }
}
