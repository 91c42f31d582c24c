// Faults of the lease table while daemons work: it throttles, is gone for longer than a lease, is
// deleted, or its rows are edited by hand. Nothing may be lost, and a reader of the log must learn
// what is wrong and where.

import { DeleteItemCommand, DeleteTableCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { type DaemonUnderTest, startDaemon } from "../support/daemon.ts";
import { createStream, leaseItems, put, testDynamo, until } from "../support/emulators.ts";
import { type Fault, startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, SHARDS } from "../support/mischief.ts";

const FAILOVER_MS = 1_500;

async function application(shards: number, prefix: string) {
  const stream = await createStream(prefix, shards);
  const journal = await Journal.create();
  const proxy = await startFaultProxy(inject("dynamoUrl"));
  onTestFinished(() => proxy.stop());
  const put1 = async (word: string, shard: 0 | 1 = 0) =>
    (await put(stream, [word], shards === 1 ? undefined : keyOfShard(shard)))[0];
  const heard = (word: string) => until(word, async () => (await journal.words()).includes(word));
  return {
    stream,
    journal,
    proxy,
    heard,
    start: (properties: Readonly<Record<string, string | number>> = {}) =>
      startDaemon({
        properties: {
          executableName: journal.command(),
          applicationName: stream,
          streamName: stream,
          dynamoDBEndpoint: proxy.url,
          failoverTimeMillis: FAILOVER_MS,
          ...properties,
        },
        env: journal.env,
      }),
    put: put1,
    /** Puts a word and waits until it is processed, and its checkpoint stored. */
    async read(word: string, shard: 0 | 1 = 0): Promise<void> {
      const record = await put1(word, shard);
      await heard(word);
      await until(`the checkpoint of ${word}`, async () => {
        const row = (await leaseItems(stream)).get(SHARDS[shard]);
        return row?.["checkpoint"] === record?.sequenceNumber;
      });
    },
  };
}

async function editRow(
  TableName: string,
  shardId: string,
  name: string,
  value: { S: string } | { N: string },
): Promise<void> {
  const client = testDynamo();
  await client.send(
    new UpdateItemCommand({
      TableName,
      Key: { leaseKey: { S: shardId } },
      UpdateExpression: "SET #name = :value",
      ExpressionAttributeNames: { "#name": name },
      ExpressionAttributeValues: { ":value": value },
    }),
  );
  client.destroy();
}

const kinds = ({ events }: DaemonUnderTest) => events.map(({ event }) => event);

describe("a table that fails for longer than a lease lasts", () => {
  it.each<[string, Fault]>([
    ["throttles", { type: "error", name: "ProvisionedThroughputExceededException" }],
    ["fails", { type: "error", name: "InternalServerError", status: 500 }],
    ["cannot be reached", { type: "cut" }],
  ])("because it %s: reading stops in time, and goes on without loss", async (_, fault) => {
    const app = await application(2, "outage");
    const daemon = await app.start();
    await app.read("first", 0);
    await app.read("second", 1);
    app.proxy.next("*", fault, Number.POSITIVE_INFINITY);
    for (const shard of SHARDS) {
      await daemon.waitFor((e) => e.event === "leaseLost" && e.shardId === shard);
    }
    await until("the children to hear of it", async () => {
      const heard = await Promise.all(SHARDS.map((shard) => app.journal.actions(shard)));
      return heard.every((actions) => actions.includes("leaseLost"));
    });
    await app.put("third", 0);
    await app.put("fourth", 1);
    // Six leases long: what may happen in a minute of ten seconds' leases.
    const outageMs = 6 * FAILOVER_MS;
    await new Promise((resolve) => setTimeout(resolve, outageMs));
    expect((await app.journal.words()).toSorted()).toEqual(["first", "second"]);
    app.proxy.clear();
    await app.heard("third");
    await app.heard("fourth");
    expect(await daemon.stop()).toBe(0);
    expect((await app.journal.words()).toSorted()).toEqual(["first", "fourth", "second", "third"]);
    const told = daemon.events.filter(({ event }) => event === "serviceTrouble");
    expect(told.length).toBeLessThan(60);
    expect(told[0]?.message).toContain(`lease table "${app.stream}"`);
    expect(kinds(daemon)).toContain("serviceRecovered");
  });
});

describe("a table that is deleted", () => {
  it("while the daemon runs ends the daemon with an error, and its children; a new start creates the table", async () => {
    const app = await application(1, "deleted");
    const daemon = await app.start();
    await app.read("first");
    const client = testDynamo();
    await client.send(new DeleteTableCommand({ TableName: app.stream }));
    client.destroy();
    expect(await daemon.ended).toBe(1);
    const said = [...daemon.events.map(({ message }) => message), ...daemon.otherLines].join("\n");
    expect(said).toContain(`lease table "${app.stream}"`);
    expect(said).toContain("deleted while this program ran");
    expect(said).toContain("starts reading at initialPositionInStream");
    expect((await app.journal.actions(SHARDS[0])).slice(-2)).toEqual(["leaseLost", "end"]);
    const again = await app.start();
    await app.put("second");
    await app.heard("second");
    expect(await again.stop()).toBe(0);
    expect(await app.journal.words()).toEqual(["first", "first", "second"]);
  });

  it("and still disappearing when a daemon starts is created again when it is gone", async () => {
    const app = await application(1, "deleting");
    const body = JSON.stringify({
      Table: {
        TableName: app.stream,
        TableStatus: "DELETING",
        KeySchema: [{ AttributeName: "leaseKey", KeyType: "HASH" }],
        AttributeDefinitions: [{ AttributeName: "leaseKey", AttributeType: "S" }],
      },
    });
    // One answer for each part that looks first: for the leases, and for the tables of KCL 3.x.
    app.proxy.next("DescribeTable", { type: "answer", body }, 3);
    const daemon = await app.start();
    await daemon.waitFor("leaseTableCreated");
    await app.read("word");
    expect(await daemon.stop()).toBe(0);
  });
});

describe("a row", () => {
  it("that is deleted is restored at its checkpoint, although reading begins at LATEST", async () => {
    const app = await application(1, "row-deleted");
    const daemon = await app.start({ initialPositionInStream: "LATEST" });
    await daemon.waitFor("shardStarted");
    await until("the tip", async () => {
      await app.put("first");
      return (await app.journal.words()).length > 0;
    });
    await app.read("second");
    const { checkpoint } = (await leaseItems(app.stream)).get(SHARDS[0]) ?? {};
    const client = testDynamo();
    const Key = { leaseKey: { S: SHARDS[0] } };
    await client.send(new DeleteItemCommand({ TableName: app.stream, Key }));
    client.destroy();
    const lost = await daemon.waitFor("leaseLost");
    expect(lost.message).toContain("its row was deleted from the lease table; it is put back at");
    const starts = () => daemon.events.filter(({ event }) => event === "shardStarted");
    await until("the shard to be begun again", () => starts().length === 2);
    expect(starts()[1]?.["position"]).toMatchObject({ sequenceNumber: checkpoint });
    await app.put("third");
    await app.heard("third");
    expect(await daemon.stop()).toBe(0);
  });

  it("that is damaged stops only its shard, which is read on once the row is corrected", async () => {
    const app = await application(2, "row-damaged");
    const daemon = await app.start();
    await app.read("first", 0);
    const { checkpoint = "" } = (await leaseItems(app.stream)).get(SHARDS[0]) ?? {};
    await editRow(app.stream, SHARDS[0], "checkpoint", { S: "yesterday" });
    await editRow(app.stream, SHARDS[0], "leaseCounter", { S: "many" });
    const lost = await daemon.waitFor("leaseLost");
    expect(lost.shardId).toBe(SHARDS[0]);
    const told = await daemon.waitFor("leasesContradicted");
    expect(told).toMatchObject({ level: "error", shardIds: [SHARDS[0]] });
    expect(told.message).toContain(`lease table "${app.stream}": row "${SHARDS[0]}" has`);
    await app.read("other", 1);
    await app.put("second", 0);
    await editRow(app.stream, SHARDS[0], "checkpoint", { S: checkpoint });
    await editRow(app.stream, SHARDS[0], "leaseCounter", { N: "7" });
    await app.heard("second");
    expect(await daemon.stop()).toBe(0);
    expect((await app.journal.words()).toSorted()).toEqual(["first", "other", "second"]);
  });

  it("whose counter is set back by hand is not taken for a second worker of this id", async () => {
    const app = await application(1, "row-counter");
    const daemon = await app.start();
    await app.read("first");
    await editRow(app.stream, SHARDS[0], "leaseCounter", { N: "0" });
    const lost = await daemon.waitFor("leaseLost");
    expect(lost.message).toMatch(/its counter went back from \d+ to 0: the row was edited/);
    await app.read("second");
    expect(await daemon.stop()).toBe(0);
    expect(await app.journal.words()).toEqual(["first", "second"]);
  });
});
