// What children, drains and failed calls leave behind in a daemon that goes on: nothing. The whole
// daemon runs in this process, so that the objects that survive a garbage collection can be
// counted.

import { fileURLToPath } from "node:url";
import { expect, inject, onTestFinished, test } from "vitest";
import { loadSettings } from "../../src/config/loadSettings.ts";
import type { Event } from "../../src/events.ts";
import { Drain } from "../../src/host/drain.ts";
import { runHost } from "../../src/host/host.ts";
import { RestartRequests } from "../../src/shard/restartRequests.ts";
import { propertiesFile } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { countSurvivors } from "../support/objects.ts";
import { leftIn } from "../support/signals.ts";

const SHARDS = 3;
/** Until everything has been loaded and cached. */
const WARM_UP_ROUNDS = 2;
const ROUNDS = 8;
/** Two connections to a service more or fewer are kept, as calls happen to meet. */
const SPARE = 3 * ROUNDS;
const PROCESSOR = fileURLToPath(new URL("../fixtures/processors/answers.sh", import.meta.url));

test("takes, restarts, failed calls and releases leave nothing behind", {
  timeout: 180_000,
}, async () => {
  const daemon = await startHere();
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await daemon.round();
  const before = { ...daemon.left(), ...(await countSurvivors()) };
  for (let round = 0; round < ROUNDS; round += 1) await daemon.round();
  const after = { ...daemon.left(), ...(await countSurvivors()) };

  expect([after.inStop, after.inKill]).toEqual([before.inStop, before.inKill]);
  expect(after.functions - before.functions).toBeLessThan(SPARE);
  expect(after.promises - before.promises).toBeLessThan(SPARE);
});

/** A daemon of this process, drained: it holds no lease between two rounds. */
async function startHere() {
  const streamName = await createStream("growth", SHARDS);
  const [kinesis, dynamo] = await Promise.all([
    startFaultProxy(inject("kinesisUrl")),
    startFaultProxy(inject("dynamoUrl")),
  ]);
  const file = await propertiesFile({
    executableName: `sh ${PROCESSOR}`,
    applicationName: streamName,
    streamName,
    regionName: "us-east-1",
    kinesisEndpoint: kinesis.url,
    dynamoDBEndpoint: dynamo.url,
    AWSCredentialsProvider: "DefaultCredentialsProvider",
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 200,
    // A killed child is followed by the next at once.
    childRestartWindowMillis: 1,
  });
  const [stop, kill] = [new AbortController(), new AbortController()];
  let events: Event[] = [];
  const emit = (event: Event) => void events.push(event);
  const drain = new Drain(emit);
  const environment = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
  Object.assign(process.env, environment);
  drain.toggle("the test");
  const context = {
    emit,
    waitForStream: false,
    stop: stop.signal,
    kill: kill.signal,
    drain,
    restarts: new RestartRequests(),
    failed: (error: unknown) => stop.abort(error),
  };
  const ended = runHost([{ loaded: loadSettings({ file }), context }], emit);
  onTestFinished(async () => {
    stop.abort();
    await ended;
    await Promise.all([kinesis.stop(), dynamo.stop()]);
  });
  const seen = (type: Event["type"], count: number) =>
    until(
      `${count} × ${type}`,
      () => events.filter((event) => event.type === type).length >= count,
    );
  await seen("drained", 1);
  return {
    /** Takes all leases, reads and checkpoints, loses a child and some calls, and releases all. */
    async round() {
      events = [];
      drain.toggle("the test");
      await seen("shardStarted", SHARDS);
      kinesis.next("GetRecords", { type: "cut" });
      dynamo.next("UpdateItem", { type: "cutAfter" });
      await put(streamName, ["a", "b", "c"], "key");
      await seen("checkpointed", 1);
      const child = events.find((event) => event.type === "childStarted");
      if (child) process.kill(child.pid, "SIGKILL");
      await seen("shardStarted", SHARDS + 1);
      drain.toggle("the test");
      await seen("drained", 1);
      events = [];
    },
    left: () => ({ inStop: leftIn(stop.signal), inKill: leftIn(kill.signal) }),
  };
}
