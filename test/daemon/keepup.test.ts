// Shards that receive more between two calls than a small buffer holds, with slow children.

import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { until } from "../support/emulators.ts";
import { type NotedCall, startLimitedKinesis } from "../support/limitedKinesis.ts";

const SLOW = fileURLToPath(new URL("../fixtures/processors/slow.mjs", import.meta.url));
const SHARDS = 4;
/** 1.4 MB a second as children read them: 4 MB from call to call. */
const STREAM = { shards: SHARDS, perSecond: 20, payloadBytes: 50 * 1024, backlog: 100 };
const CATCHING_UP_MS = 45_000;

function start(kinesisEndpoint: string, name: string, properties = {}) {
  return startDaemon({
    properties: {
      executableName: `"${process.execPath}" "${SLOW}"`,
      applicationName: `${name}-${process.pid}-${Date.now()}`,
      streamName: "limited",
      kinesisEndpoint,
      idleTimeBetweenReadsInMillis: 3_000,
      ...properties,
    },
  });
}

/** The shards that a call has brought to their tip, after some that left something behind. */
function atTip(calls: readonly NotedCall[]): number {
  const caughtUp = calls.filter(({ there, given }, index) => index >= SHARDS && there === given);
  return new Set(caughtUp.map(({ shardId }) => shardId)).size;
}

it("every shard catches up, and from then on no call asks for less than is available", async () => {
  const kinesis = await startLimitedKinesis(STREAM);
  const daemon = await start(kinesis.url, "keeps-up");
  await until("every shard at its tip", () => atTip(kinesis.calls) === SHARDS, CATCHING_UP_MS);
  const before = kinesis.calls.length;
  await until("more calls", () => kinesis.calls.length >= before + 3 * SHARDS, CATCHING_UP_MS);
  const left = kinesis.calls.slice(before).filter(({ there, given }) => given < there);
  expect(left).toEqual([]);
  expect(daemon.events.filter(({ event }) => event === "readingThrottledByBudget")).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

it("if maxBufferedBytes makes shards fall behind, a warning names them and a sufficient value", async () => {
  const kinesis = await startLimitedKinesis({ ...STREAM, backlog: 0 });
  const daemon = await start(kinesis.url, "starves", { maxBufferedBytes: 2 ** 20 });
  const warning = await daemon.waitFor("readingThrottledByBudget", CATCHING_UP_MS);
  expect(warning.level).toBe("warn");
  expect(warning.message).toContain("maxBufferedBytes = 1048576 holds less");
  expect(warning.message).toContain(String(warning["enoughBytes"]));
  expect(Number(warning["enoughBytes"])).toBeGreaterThan(SHARDS * 2 ** 20);
  expect(await daemon.stop()).toBe(0);
});
