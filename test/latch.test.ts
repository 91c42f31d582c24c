import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { Latch } from "../src/latch.ts";

it("lets everyone through once it is set, also those who come later", async () => {
  const latch = new Latch();
  const waiting = [latch.wait(), latch.wait(new AbortController().signal)];
  expect(latch.isSet).toBe(false);
  latch.set();
  await Promise.all(waiting);
  expect(latch.isSet).toBe(true);
  await latch.wait();
});

it("lets go of a waiter whose signal is aborted, and leaves no listener behind", async () => {
  const latch = new Latch();
  const stop = new AbortController();
  const waiting = latch.wait(stop.signal);
  stop.abort();
  await waiting;
  expect(latch.isSet).toBe(false);
  const other = new AbortController();
  const second = latch.wait(other.signal);
  latch.set();
  await second;
  expect(getEventListeners(other.signal, "abort")).toHaveLength(0);
});
