// How much a shard needs to hold, by what is seen of it.

import fc from "fast-check";
import { expect, test } from "vitest";
import { LARGEST_BATCH_BYTES } from "../../src/stream/budget/allowance.ts";
import { READ_BYTES_PER_MS, ShardNeed } from "../../src/stream/budget/shardNeed.ts";

/** Rendered bytes for one of payload. */
const EXPANSION = 1.5;
/** The most that the service lets a shard be written with, rendered. */
const MOST_PER_MS = Math.floor(1_049 * EXPANSION);

interface Way {
  readonly bytesPerMs: number;
  readonly workMs: number;
  readonly idleMs: number;
  readonly backlogMs: number;
}

/**
 * Reads a shard that is written steadily, each call as large as the need allows.
 *
 * @returns how far behind it is after each call.
 */
function read({ bytesPerMs, workMs, idleMs, backlogMs }: Way, calls: number): number[] {
  const need = new ShardNeed();
  let placeMs = -backlogMs;
  let atMs = 0;
  return Array.from({ length: calls }, () => {
    const behindMs = atMs - placeMs;
    const there = behindMs * bytesPerMs;
    const bytes = Math.min(there, Math.max(256 * 1024, need.bytes(workMs, idleMs)));
    placeMs += bytes / bytesPerMs;
    const millisBehindLatest = Math.max(0, atMs - placeMs);
    const behind = bytes < there;
    need.received({ atMs, bytes, payloadBytes: bytes / EXPANSION, millisBehindLatest, behind });
    const paidMs = bytes / EXPANSION / READ_BYTES_PER_MS;
    atMs += Math.max(workMs, idleMs, 250, paidMs);
    return millisBehindLatest;
  });
}

const ways = fc.record({
  bytesPerMs: fc.integer({ min: 1, max: MOST_PER_MS }),
  workMs: fc.integer({ min: 0, max: 3_000 }),
  idleMs: fc.constantFrom(0, 200, 1_000, 2_000),
  backlogMs: fc.integer({ min: 0, max: 60_000 }),
});

test("with what it needs, a shard that is written at any rate gets to its tip, and stays there", () => {
  fc.assert(
    fc.property(ways, (way) => {
      const behind = read(way, 400);
      expect(Math.max(...behind.slice(-50))).toBeLessThan(1);
    }),
  );
});

test("a backlog is drained at 95 % of what the service allows, or faster", () => {
  const drained = fc.record({ ...shapeOfDrain() });
  fc.assert(
    fc.property(drained, (way) => {
      const calls = 20;
      const [first = 0, ...rest] = read({ ...way, backlogMs: 3_600_000 }, calls);
      // In units of the shard's own time: what was read of it, and what was written meanwhile.
      const last = rest.at(-1) ?? 0;
      expect(first - last).toBeGreaterThan(0);
      const need = new ShardNeed();
      const bytes = 10_000_000;
      const look = { bytes, payloadBytes: bytes / EXPANSION, millisBehindLatest: 9_000 };
      need.received({ ...look, atMs: 0, behind: true });
      const gapMs = Math.max(way.workMs, way.idleMs, 200);
      const perMs = need.bytes(way.workMs, way.idleMs) / EXPANSION / gapMs;
      expect(perMs).toBeGreaterThanOrEqual(READ_BYTES_PER_MS * 0.95);
    }),
  );
});

function shapeOfDrain() {
  return {
    bytesPerMs: fc.integer({ min: 500, max: MOST_PER_MS }),
    workMs: fc.integer({ min: 0, max: 1_000 }),
    idleMs: fc.constantFrom(0, 1_000),
  };
}

test("a shard to which nothing comes needs nothing", () => {
  const need = new ShardNeed();
  for (let atMs = 0; atMs < 60_000; atMs += 1_000) {
    need.received({ atMs, bytes: 0, payloadBytes: 0, millisBehindLatest: 0, behind: false });
  }
  expect(need.bytes(10_000, 0)).toBe(0);
});

test("however long a child takes, no need is larger than an answer of the service", () => {
  const need = new ShardNeed();
  for (const atMs of [0, 60_000, 120_000]) {
    const look = { atMs, bytes: 90_000_000, payloadBytes: 60_000_000 };
    need.received({ ...look, millisBehindLatest: 0, behind: true });
  }
  expect(need.bytes(600_000, 0)).toBe(LARGEST_BATCH_BYTES);
});
