// The rate of the limiter, and callers that leave before their turn.

import { expect, test } from "vitest";
import { RateLimiter } from "../../src/stream/fanout/rateLimiter.ts";
import { ClockByHand } from "../leases/clockByHand.ts";

const settled = () => new Promise(setImmediate);

/** A limiter for four calls per second. */
function turnstile() {
  const clock = new ClockByHand();
  const gate = new RateLimiter(clock, 4);
  const passed: string[] = [];
  const come = (name: string, signal = new AbortController().signal) =>
    gate.pass(signal).then(() => {
      if (!signal.aborted) passed.push(name);
    });
  return { clock, passed, come };
}

test("lets the first caller pass at once, and the others at the rate", async () => {
  const { clock, passed, come } = turnstile();
  for (const name of ["a", "b", "c"]) void come(name);
  await settled();
  expect(passed).toEqual(["a"]);
  clock.advance(249);
  await settled();
  expect(passed).toEqual(["a"]);
  clock.advance(1);
  await settled();
  clock.advance(250);
  await settled();
  expect(passed).toEqual(["a", "b", "c"]);
});

test("gives no turn to forty callers that left", async () => {
  const { clock, passed, come } = turnstile();
  void come("first");
  const leaving = new AbortController();
  for (let left = 0; left < 40; left += 1) void come("nobody", leaving.signal);
  void come("waited with them");
  leaving.abort();
  void come("came later");
  for (const name of ["first", "waited with them", "came later"]) {
    await settled();
    expect(passed.at(-1)).toBe(name);
    clock.advance(250);
  }
});

test("ends its wait when all callers have left, and keeps the rate for the next one", async () => {
  const { clock, passed, come } = turnstile();
  void come("first");
  const leaving = new AbortController();
  const left = come("nobody", leaving.signal);
  await settled();
  leaving.abort();
  await left;
  await settled();
  void come("second");
  await settled();
  expect(passed).toEqual(["first"]);
  clock.advance(250);
  await settled();
  expect(passed).toEqual(["first", "second"]);
});
