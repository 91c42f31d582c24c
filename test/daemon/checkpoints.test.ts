// Who checkpoints, when it is stored, and what that means when the daemon is killed.

import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type DaemonUnderTest, startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, testKinesis, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";
import { SHARDS } from "../support/mischief.ts";

const FAR_AWAY_MS = 600_000;

interface Place {
  readonly stream: string;
  readonly journal: Journal;
}

async function place(prefix: string): Promise<Place> {
  return { stream: await createStream(prefix, 1), journal: await Journal.create() };
}

function start(
  { stream, journal }: Place,
  properties: Readonly<Record<string, string | number>>,
  checkpoint: "batch" | "never" = "batch",
): Promise<DaemonUnderTest> {
  return startDaemon({
    properties: {
      executableName: journal.command(checkpoint),
      applicationName: stream,
      streamName: stream,
      workerId: "same",
      ...properties,
    },
    env: journal.env,
  });
}

/** Puts a word and waits until the child has received the response to its checkpoint. */
async function putAndCheckpoint({ stream, journal }: Place, word: string): Promise<string> {
  const acknowledged = async () =>
    (await journal.actions(SHARDS[0])).filter((action) => action === "acknowledged").length;
  const before = await acknowledged();
  const [put1] = await put(stream, [word]);
  await until(`${word} to be acknowledged`, async () => (await acknowledged()) > before);
  return put1?.sequenceNumber ?? "";
}

const stored = async ({ stream }: Place) =>
  (await leaseItems(stream)).get(SHARDS[0])?.["checkpoint"];

async function kill(daemon: DaemonUnderTest): Promise<void> {
  daemon.signal("SIGKILL");
  await daemon.ended;
}

describe("checkpoints", () => {
  it("are stored before the child gets the response: a killed daemon repeats nothing", async () => {
    const here = await place("strict");
    const first = await start(here, {});
    const one = await putAndCheckpoint(here, "one");
    expect(await stored(here)).toBe(one);
    const two = await putAndCheckpoint(here, "two");
    expect(await stored(here)).toBe(two);
    await kill(first);
    const second = await start(here, {});
    await putAndCheckpoint(here, "three");
    expect(await second.stop()).toBe(0);
    expect(await here.journal.words()).toEqual(["one", "two", "three"]);
  });

  it("survive a throttled table, and the child does not notice", async () => {
    const here = await place("throttled");
    const proxy = await startFaultProxy(inject("dynamoUrl"));
    onTestFinished(() => proxy.stop());
    const daemon = await start(here, { dynamoDBEndpoint: proxy.url, failoverTimeMillis: 20_000 });
    await putAndCheckpoint(here, "one");
    const name = "ProvisionedThroughputExceededException";
    proxy.next("UpdateItem", { type: "error", name }, 8);
    const two = await putAndCheckpoint(here, "two");
    expect(await stored(here)).toBe(two);
    const entries = (await here.journal.read()).get(SHARDS[0]) ?? [];
    const heard = entries.filter(({ action }) => action === "acknowledged");
    expect(heard.map(({ error }) => error)).toEqual([null, null]);
    expect(daemon.events.map(({ event }) => event)).toContain("serviceTrouble");
    expect(await daemon.stop()).toBe(0);
  });
});

describe("checkpointIntervalMs", () => {
  it("saves writes: a killed daemon repeats what was not stored yet, and loses nothing", async () => {
    const here = await place("interval");
    const first = await start(here, { checkpointIntervalMs: FAR_AWAY_MS });
    const one = await putAndCheckpoint(here, "one");
    await putAndCheckpoint(here, "two");
    await putAndCheckpoint(here, "three");
    expect(await stored(here)).toBe(one);
    await kill(first);
    const second = await start(here, { checkpointIntervalMs: FAR_AWAY_MS });
    await until("what is repeated", async () => (await here.journal.words()).length === 5);
    expect(await here.journal.words()).toEqual(["one", "two", "three", "two", "three"]);
    expect(await second.stop()).toBe(0);
  });

  it("stores the last checkpoint too, although none follows it", async () => {
    const here = await place("interval-idle");
    const daemon = await start(here, { checkpointIntervalMs: 1_000 });
    await putAndCheckpoint(here, "one");
    const two = await putAndCheckpoint(here, "two");
    await until("it to be stored", async () => (await stored(here)) === two);
    expect(await daemon.stop()).toBe(0);
  });

  it("ends early at an orderly stop, and at the end of a child", async () => {
    const here = await place("interval-stop");
    const daemon = await start(here, { checkpointIntervalMs: FAR_AWAY_MS });
    await putAndCheckpoint(here, "one");
    const two = await putAndCheckpoint(here, "two");
    const { pid } = await daemon.waitFor("childStarted");
    process.kill(Number(pid), "SIGKILL");
    await until("the child's end", async () => (await stored(here)) === two);
    await putAndCheckpoint(here, "three");
    const four = await putAndCheckpoint(here, "four");
    expect(await daemon.stop()).toBe(0);
    expect(await stored(here)).toBe(four);
    expect(await here.journal.words()).toEqual(["one", "two", "three", "four"]);
  });
});

describe("checkpointPolicy = onBatchSuccess", () => {
  it("checkpoints for a processor that never does, up to the end of its shard", async () => {
    const here = await place("policy");
    const daemon = await start(here, { checkpointPolicy: "onBatchSuccess" }, "never");
    const [one] = await put(here.stream, ["one"]);
    await until("the checkpoint", async () => (await stored(here)) === one?.sequenceNumber);
    const client = testKinesis();
    await client.send(
      new SplitShardCommand({
        StreamName: here.stream,
        ShardToSplit: SHARDS[0],
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    client.destroy();
    await until("the children to begin", async () => (await here.journal.read()).size === 3);
    expect(await stored(here)).toBe("SHARD_END");
    expect(await here.journal.actions(SHARDS[0])).not.toContain("acknowledged");
    expect(await daemon.stop()).toBe(0);
  });

  it("counts a batch as done only when its status arrives", async () => {
    const here = await place("policy-kill");
    const properties = { checkpointPolicy: "onBatchSuccess" };
    const first = await start(here, properties, "never");
    await put(here.stream, ["one"]);
    await first.waitFor("checkpointed");
    await kill(first);
    const second = await start(here, properties, "never");
    await put(here.stream, ["two"]);
    await second.waitFor("checkpointed");
    expect(await second.stop()).toBe(0);
    expect(await here.journal.words()).toEqual(["one", "two"]);
  });
});
