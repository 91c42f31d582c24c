// What the daemon checks before it creates anything, and what it reports that an emulator lacks.

import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import { expect, it } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, testDynamo, uniqueName } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

it("creates no lease table for a stream that does not exist", async () => {
  const name = uniqueName("no-such-stream");
  const daemon = await startDaemon({
    properties: { executableName: "cat", applicationName: name, streamName: name },
  });
  expect(await daemon.ended).toBe(1);
  expect(daemon.otherLines.join("\n")).toContain(name);
  const client = testDynamo();
  const described = client.send(new DescribeTableCommand({ TableName: name }));
  await expect(described).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  client.destroy();
});

it("reports once that this emulator's fan-out never ends a shard", async () => {
  const stream = await createStream("emulated-fanout", 2);
  const journal = await Journal.create();
  const daemon = await startDaemon({
    properties: {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      retrievalMode: "FANOUT",
    },
    env: journal.env,
  });
  const told = await daemon.waitFor("fanoutEmulated");
  expect(told.level).toBe("warn");
  expect(told.message).toContain("retrievalMode = POLLING");
  const subscribed = () => daemon.events.filter(({ event }) => event === "subscribed");
  await daemon.waitFor(() => subscribed().length >= 2);
  expect(daemon.events.filter(({ event }) => event === "fanoutEmulated")).toHaveLength(1);
  expect((await leaseItems(stream)).size).toBe(2);
  expect(await daemon.stop()).toBe(0);
});
