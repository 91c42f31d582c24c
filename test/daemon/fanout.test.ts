// Enhanced fan-out end to end.

import { expect, inject, it, onTestFinished } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";

const words = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => `word-${from + index}`);

it("subscribes to every shard, continues after the checkpoint, and counts each word once", async () => {
  const stream = await createStream("daemon-fanout", 2);
  const journal = await Journal.create();
  const start = (workerId: string) =>
    startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
        retrievalMode: "FANOUT",
        workerId,
      },
      env: journal.env,
    });
  await put(stream, words(0, 50));
  const first = await start("first");
  await until("the first words", async () => new Set(await journal.words()).size === 50);
  expect(first.events.filter(({ event }) => event === "fanoutConsumerFound")).toHaveLength(1);
  expect(await first.stop()).toBe(0);
  await put(stream, words(50, 100));
  const second = await start("second");
  await until("all words", async () => new Set(await journal.words()).size === 100);
  expect((await journal.words()).toSorted()).toEqual(words(0, 100).toSorted());
  expect(await second.stop()).toBe(0);
});

it("names the setting to change if the endpoint does not support it", async () => {
  const stream = await createStream("daemon-no-fanout", 1);
  const proxy = await startFaultProxy(inject("kinesisUrl"));
  onTestFinished(() => proxy.stop());
  const name = "UnknownOperationException";
  proxy.next("DescribeStreamConsumer", { type: "error", name }, 1_000);
  const journal = await Journal.create();
  const daemon = await startDaemon({
    properties: {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      kinesisEndpoint: proxy.url,
      retrievalMode: "FANOUT",
    },
    env: journal.env,
  });
  const told = await daemon.waitFor("serviceTrouble");
  expect(told.message).toMatch(/DescribeStreamConsumer/);
  expect(told.message).toMatch(/retrievalMode = POLLING/);
  expect(await daemon.stop()).toBe(0);
});
