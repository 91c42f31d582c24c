import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../src/clock.ts";
import { backoffMs, type FailedAttempt, retry } from "../src/retry.ts";

const BACKOFF = { baseMs: 100, capMs: 1_000 };
/** 0 ≤ x < 1. */
const CHANCE = fc.double({ min: 0, max: 0.999, noNaN: true });

/** A clock that jumps over every sleep and remembers how long each was. */
function jumpingClock() {
  let nowMs = 0;
  const sleeps: number[] = [];
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(ms, signal) {
      if (signal?.aborted) return;
      sleeps.push(ms);
      nowMs += ms;
    },
  };
  return { clock, sleeps };
}

/** Fails with these errors, one after the other, then succeeds. */
function failing(...errors: readonly Error[]) {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error) throw error;
    return "done";
  };
}

const never = new AbortController().signal;

describe("retry", () => {
  it("repeats until the attempt succeeds, and reports each failure with the wait that follows", async () => {
    const { clock, sleeps } = jumpingClock();
    const failures: FailedAttempt[] = [];
    const [first, second] = [new Error("one"), new Error("two")];
    const policy = {
      clock,
      backoff: BACKOFF,
      random: () => 0.5,
      onFailure: (failure: FailedAttempt) => failures.push(failure),
    };
    expect(await retry(failing(first, second), policy, never)).toBe("done");
    expect(failures).toEqual([
      { error: first, attempt: 1, retryInMs: 50 },
      { error: second, attempt: 2, retryInMs: 100 },
    ]);
    expect(sleeps).toEqual([50, 100]);
  });

  it("throws the last error when all attempts are used up, without waiting again", async () => {
    const { clock, sleeps } = jumpingClock();
    const policy = { clock, backoff: BACKOFF, attempts: 2 };
    const last = new Error("two");
    const attempt = failing(new Error("one"), last, new Error("three"));
    await expect(retry(attempt, policy, never)).rejects.toBe(last);
    expect(sleeps).toHaveLength(1);
  });

  it("throws an error that cannot pass at once", async () => {
    const { clock, sleeps } = jumpingClock();
    const lasting = new Error("denied");
    const policy = { clock, backoff: BACKOFF, mayPass: (error: unknown) => error !== lasting };
    await expect(retry(failing(new Error("busy"), lasting), policy, never)).rejects.toBe(lasting);
    expect(sleeps).toHaveLength(1);
  });

  it("begins no attempt after its time, whatever the waits come to", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(CHANCE), async (numbers) => {
        const { clock } = jumpingClock();
        const random = () => numbers.next().value;
        const begunMs: number[] = [];
        const attempt = async () => {
          begunMs.push(clock.monotonicMs());
          throw new Error("busy");
        };
        const policy = { clock, backoff: BACKOFF, random, withinMs: 3_000, attempts: 100 };
        await expect(retry(attempt, policy, never)).rejects.toThrow("busy");
        expect(Math.max(...begunMs)).toBeLessThanOrEqual(3_000);
      }),
    );
  });

  it("returns undefined when the signal is aborted, also while the attempt is under way", async () => {
    const { clock } = jumpingClock();
    const stop = new AbortController();
    const attempt = async () => {
      stop.abort();
      throw new Error("cut");
    };
    expect(await retry(attempt, { clock, backoff: BACKOFF }, stop.signal)).toBeUndefined();
    expect(await retry(failing(), { clock, backoff: BACKOFF }, stop.signal)).toBeUndefined();
  });

  it("waits a random part of a bound that doubles up to its cap", () => {
    fc.assert(
      fc.property(fc.nat(1_000), CHANCE, (attempt, chance) => {
        const waitMs = backoffMs(attempt, BACKOFF, () => chance);
        expect(waitMs).toBeLessThan(Math.min(1_000, 100 * 2 ** attempt) + 1e-9);
        expect(waitMs).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
