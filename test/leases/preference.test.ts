// Which worker takes each free lease first, without communication.

import { expect, test } from "vitest";
import { byPreference } from "../../src/leases/decisions/preference.ts";
import { lease } from "./leases.ts";

const WORKERS = ["ann", "bob", "cyd", "dan"];
const FREE = Array.from({ length: 200 }, (_, i) => ({ lease: lease(`shard-${i}`) }));

function order(worker: string, workers = WORKERS): readonly string[] {
  return byPreference(FREE, worker, workers).map(({ lease }) => lease.shardId);
}

test("every worker wants every lease, and starts with other leases than the other workers", () => {
  for (const worker of WORKERS) expect(new Set(order(worker)).size).toBe(FREE.length);
  const begins = WORKERS.flatMap((worker) => order(worker).slice(0, 30));
  expect(new Set(begins).size).toBe(begins.length);
});

test("the first few are the beginning of the whole order", () => {
  for (const worker of WORKERS) {
    for (const number of [0, 1, 7, 100, FREE.length, FREE.length + 1]) {
      const first = byPreference(FREE, worker, WORKERS, number);
      expect(first.map(({ lease }) => lease.shardId)).toEqual(order(worker).slice(0, number));
    }
  }
});

test("workers that do not know each other mostly begin with different leases", () => {
  const begins = WORKERS.flatMap((worker) => order(worker, []).slice(0, 8));
  expect(new Set(begins).size).toBeGreaterThan(24);
});

test("the leases of a worker that is gone are spread over all others", () => {
  const left = WORKERS.filter((worker) => worker !== "dan");
  const dans = new Set(order("dan").slice(0, 30));
  for (const worker of left) {
    const begins = order(worker, left).slice(0, 60);
    expect(begins.some((shardId) => dans.has(shardId))).toBe(true);
  }
});
