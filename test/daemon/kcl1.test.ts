// Processors written for KCL 1.x, which know no `shardEnded` and no `leaseLost`, under the built
// daemon: through a shard's end into its children, and to a stop.

import { fileURLToPath } from "node:url";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { type DaemonUnderTest, type LoggedEvent, startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  streamActive,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/processors/${name}`, import.meta.url));

const PARENT = "shardId-000000000000";
const CHILDREN = ["shardId-000000000001", "shardId-000000000002"];

async function start(command: string, properties = {}) {
  const stream = await createStream("kcl1", 1);
  const table = uniqueName("kcl1");
  await put(stream, ["cat"], "pets");
  const daemon = await startDaemon({
    properties: {
      executableName: command,
      streamName: stream,
      applicationName: table,
      shardSyncIntervalMillis: 500,
      parentShardPollIntervalMillis: 200,
      cleanupLeasesUponShardCompletion: false,
      ...properties,
    },
  });
  return { stream, table, daemon };
}

function told(daemon: DaemonUnderTest, shardId: string, line: string) {
  return daemon.waitFor(
    (event) =>
      event.event === "childOutput" &&
      event.shardId === shardId &&
      event["line"] === `kcl1 ${line}`,
  );
}

function linesOf(daemon: DaemonUnderTest, shardId: string): string[] {
  return daemon.events
    .filter((event) => event.event === "childOutput" && event.shardId === shardId)
    .map((event) => String(event["line"]))
    .filter((line) => line.startsWith("kcl1"));
}

async function split(stream: string): Promise<void> {
  const kinesis = testKinesis();
  await kinesis.send(
    new SplitShardCommand({
      StreamName: stream,
      ShardToSplit: PARENT,
      NewStartingHashKey: (2n ** 127n).toString(),
    }),
  );
  kinesis.destroy();
  await streamActive(stream);
}

const isAt = (event: LoggedEvent, sequenceNumber: unknown) =>
  JSON.stringify(event["position"]).includes(String(sequenceNumber));

const eventsOf = (daemon: DaemonUnderTest, type: string) =>
  daemon.events.filter(({ event }) => event === type);

describe("a processor of KCL 1.x", () => {
  it.each([
    ["python3", "kcl1.py die checkpoint"],
    ["python3", "kcl1.py answer checkpoint"],
    ["ruby", "kcl1.rb"],
  ] as const)(
    "that calls the sequence number `checkpoint` is recognized by that (%s %s)",
    async (program, name) => {
      const { stream, table, daemon } = await start(`${program} ${fixture(name)}`);
      await told(daemon, PARENT, "checkpoint answered None");
      await split(stream);
      await told(daemon, PARENT, "shutdown TERMINATE");
      for (const shardId of CHILDREN) await told(daemon, shardId, "initialize TRIM_HORIZON");
      expect((await leaseItems(table)).get(PARENT)?.["checkpoint"]).toBe("SHARD_END");
      await Promise.all(
        CHILDREN.map((id) =>
          daemon.waitFor(({ event, shardId }) => event === "shardStarted" && shardId === id),
        ),
      );
      expect(await daemon.stop()).toBe(0);
      for (const shardId of CHILDREN) {
        expect(linesOf(daemon, shardId)).toEqual([
          "kcl1 initialize TRIM_HORIZON",
          "kcl1 shutdown ZOMBIE",
        ]);
      }
      expect(eventsOf(daemon, "childFailed")).toEqual([]);
      const [changed, ...more] = eventsOf(daemon, "dialectChanged");
      expect(changed?.message).toContain("childDialect = kcl1");
      expect(more).toEqual([]);
    },
  );

  it.each([["die"], ["answer"]])(
    "that fails at a shard's end is replaced by a child that gets the messages of KCL 1.x (it would %s)",
    async (how) => {
      // As strict as can be: the change of dialect is no restart that the settings forbid.
      const properties = { onChildFailure: "exit", maxChildRestarts: 0 };
      const command = `python3 ${fixture("kcl1.py")} ${how} sequenceNumber`;
      const { stream, table, daemon } = await start(command, properties);
      await told(daemon, PARENT, "checkpoint answered None");
      await split(stream);
      await told(daemon, PARENT, "shutdown TERMINATE");
      for (const shardId of CHILDREN) await told(daemon, shardId, "initialize TRIM_HORIZON");
      expect((await leaseItems(table)).get(PARENT)?.["checkpoint"]).toBe("SHARD_END");
      // The first child had checkpointed all, so the second one was given nothing again.
      expect(linesOf(daemon, PARENT).filter((line) => line.includes("record"))).toEqual([
        "kcl1 record cat",
      ]);
      expect(eventsOf(daemon, "childFailed")).toHaveLength(1);
      expect(eventsOf(daemon, "dialectChanged")).toMatchObject([
        { to: "kcl1", sign: "shardEnded" },
      ]);
      await put(stream, ["dog", "bird", "fish", "cow"]);
      await until("the words", async () => {
        const words = CHILDREN.flatMap((id) => linesOf(daemon, id)).filter((line) =>
          line.includes("record"),
        );
        return words.length === 4;
      });
      await daemon.stop();
      expect(CHILDREN.flatMap((id) => linesOf(daemon, id)).join("\n")).not.toContain("shardEnded");
    },
  );

  it("that is configured as one gets those messages from the start, and the notice of a stop too", async () => {
    const properties = { childDialect: "kcl1" };
    const { daemon, table } = await start(`node ${fixture("kcl1.mjs")} lazy`, properties);
    await told(daemon, PARENT, "record cat");
    expect(await daemon.stop()).toBe(0);
    expect(linesOf(daemon, PARENT)).toEqual([
      "kcl1 initialize TRIM_HORIZON",
      "kcl1 record cat",
      "kcl1 shutdownRequested ",
      "kcl1 checkpoint answered None",
      "kcl1 shutdown ZOMBIE",
      "kcl1 checkpoint answered ShutdownException",
    ]);
    expect((await leaseItems(table)).get(PARENT)?.["checkpoint"]).toMatch(/^\d+$/);
    expect(eventsOf(daemon, "childFailed")).toEqual([]);
  });

  it("that fails at the notice of a stop gets none again", async () => {
    const { daemon, table } = await start(`python3 ${fixture("kcl1.py")} die sequenceNumber`);
    await told(daemon, PARENT, "checkpoint answered None");
    daemon.signal("SIGUSR2");
    await daemon.waitFor("drained");
    expect(eventsOf(daemon, "dialectChanged")).toMatchObject([{ sign: "shutdownRequested" }]);
    const stored = (await leaseItems(table)).get(PARENT)?.["checkpoint"];
    expect(stored).toMatch(/^\d+$/);
    daemon.signal("SIGUSR2");
    await told(daemon, PARENT, `initialize ${stored}`);
    await daemon.waitFor((event) => event.event === "shardStarted" && isAt(event, stored));
    expect(await daemon.stop()).toBe(0);
    // Nothing twice, nothing lost, and a goodbye that it understands.
    expect(linesOf(daemon, PARENT)).toEqual([
      "kcl1 initialize TRIM_HORIZON",
      "kcl1 record cat",
      "kcl1 checkpoint answered None",
      `kcl1 initialize ${stored}`,
      "kcl1 shutdown ZOMBIE",
    ]);
    expect(eventsOf(daemon, "childFailed")).toMatchObject([{ next: "stop" }]);
  });

  it("under childDialect = kcl2 fails with an error that names the setting", async () => {
    const properties = { childDialect: "kcl2", onChildFailure: "exit" };
    const command = `python3 ${fixture("kcl1.py")} die sequenceNumber`;
    const { stream, daemon } = await start(command, properties);
    await told(daemon, PARENT, "checkpoint answered None");
    await split(stream);
    expect(await daemon.ended).toBe(1);
    expect(eventsOf(daemon, "dialectChanged")).toEqual([]);
    const [failure] = eventsOf(daemon, "childFailed");
    expect(failure?.message).toContain(
      'KCL 1.x has no message "shardEnded". If the processor was written for that version, set childDialect = kcl1.',
    );
  });
});
