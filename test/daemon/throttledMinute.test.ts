// A minute in which DynamoDB refuses every call of one of two daemons that share a stream: a real
// minute, with leases of the default length. In a file of its own, so that others run meanwhile.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, inject, it, onTestFinished } from "vitest";
import { findForeignWrites } from "../interop/foreignWrites.ts";
import { type LeaseWrite, startWriteWitness } from "../interop/writeWitness.ts";
import { startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";

const MINUTE_MS = 60_000;
const WORD_EVERY_MS = 500;
const LIMIT_MS = 240_000;
const PATIENCE_MS = 60_000;

it("a daemon that is throttled for a minute loses its shards to its peer but no record, and takes part again", {
  timeout: LIMIT_MS,
}, async () => {
  const stream = await createStream("throttled", 4);
  const writes: LeaseWrite[] = [];
  const start = async (workerId: string) => {
    const witness = await startWriteWitness(workerId, inject("dynamoUrl"), writes);
    onTestFinished(() => witness.stop());
    const proxy = await startFaultProxy(witness.url);
    onTestFinished(() => proxy.stop());
    const journal = await Journal.create();
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
        dynamoDBEndpoint: proxy.url,
        workerId,
      },
      env: journal.env,
    });
    return { proxy, journal, daemon };
  };
  const owned = async () => {
    const owners = [...(await leaseItems(stream)).values()].map(({ leaseOwner }) => leaseOwner);
    return ["throttled", "spared"].map((name) => owners.filter((each) => each === name).length);
  };
  const isEven = async () => (await owned()).join() === "2,2";

  const throttled = await start("throttled");
  const spared = await start("spared");
  await until("an even share", isEven, PATIENCE_MS);

  const words: string[] = [];
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const putting = (async () => {
    while (!over.signal.aborted) {
      const word = `word-${words.length}`;
      await put(stream, [word]);
      words.push(word);
      await sleep(WORD_EVERY_MS);
    }
  })();
  const given = async () => (await throttled.journal.words()).length;
  await until("both to read", async () => (await given()) > 0, PATIENCE_MS);

  const name = "ProvisionedThroughputExceededException";
  throttled.proxy.next("*", { type: "error", name }, Number.POSITIVE_INFINITY);
  const end = sleep(MINUTE_MS);
  await until("all to be the other's", async () => (await owned()).join() === "0,4", PATIENCE_MS);
  await until("its children to hear of it", async () => {
    const entries = [...(await throttled.journal.read()).values()];
    const lasts = entries.map((each) => each.filter(({ action }) => action !== "end").at(-1));
    return lasts.every((last) => last?.action === "leaseLost");
  });
  const before = await given();
  const others = (await spared.journal.words()).length;
  await end;
  expect(await given()).toBe(before);
  expect((await spared.journal.words()).length).toBeGreaterThan(others);
  expect(throttled.daemon.events.map(({ event }) => event)).not.toContain("childFailed");

  throttled.proxy.clear();
  await until("an even share again", isEven, PATIENCE_MS);
  await until("it to read again", async () => (await given()) > before, PATIENCE_MS);
  over.abort();
  await putting;
  const journals = [throttled.journal, spared.journal];
  const delivered = async () =>
    new Set((await Promise.all(journals.map((journal) => journal.words()))).flat());
  await until("all words", async () => (await delivered()).size === words.length, PATIENCE_MS);
  expect([...(await delivered())].toSorted()).toEqual(words.toSorted());
  for (const { daemon } of [throttled, spared]) expect(await daemon.stop()).toBe(0);
  expect(new Set(writes.map(({ writer }) => writer)).size).toBe(2);
  expect(findForeignWrites(writes)).toEqual([]);
});
