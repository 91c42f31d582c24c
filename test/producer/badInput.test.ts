// Clients that misbehave, disks that are full and streams that disappear: what a producer process
// does, and that nothing accepted is lost.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  PutRecordCommand,
  PutRecordsCommand,
} from "@aws-sdk/client-kinesis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { MAIN, temporaryFolder } from "../support/daemon.ts";
import { createStream, streamActive, testKinesis, until, wordsIn } from "../support/emulators.ts";
import { ENVIRONMENT, produce, putLine } from "../support/produce.ts";
import { kinesisFor } from "../support/producerClient.ts";
import { userRecords } from "../support/putKinesis.ts";

const never = () => new Promise<undefined>(() => {});
const refused = () => ({ type: "error", name: "KMSDisabledException" }) as const;

async function propertiesOf(properties: Readonly<Record<string, string | number>>) {
  const file = join(await temporaryFolder(), "p.properties");
  const lines = Object.entries(properties).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(file, lines.join(""));
  return file;
}

const textsOf = (stored: Parameters<typeof userRecords>[0]) =>
  userRecords(stored).map(({ data }) => String(data));

describe("a client", () => {
  it("that does not read its results stops the producer from reading on", async () => {
    const kinesis = await kinesisFor();
    const args = ["produce", "--protocol", "-s", "words", "--endpoint", kinesis.url];
    const child = spawn(process.execPath, [MAIN, ...args], { env: ENVIRONMENT });
    onTestFinished(() => void child.kill("SIGKILL"));
    child.stderr.resume();
    const count = 300_000;
    for (let id = 0; id < count; id += 1)
      child.stdin.write(putLine({ id, partitionKey: "k", text: "x" }));
    child.stdin.end();
    const stored = () => userRecords(kinesis.stored).length;
    let before = -1;
    while (before < 1 || before !== stored()) {
      before = stored();
      await systemClock.sleep(1_000);
    }
    expect(stored()).toBeLessThan(count);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text = (text + more).slice(-200);
    });
    const [code] = await once(child, "close");
    expect(text).toContain(`{"action":"closed","stored":${count},"failed":0,"notStored":0}`);
    expect(code).toBe(0);
  });

  it("that goes in the middle of a line has its whole records stored, and disturbs no other", async () => {
    const kinesis = await kinesisFor();
    const path = join(await temporaryFolder(), "p.sock");
    const where = ["-s", "words", "--endpoint", kinesis.url];
    const producer = produce(["--listen", `unix:${path}`, ...where]);
    await producer.logged(/accepts records/);
    const leaving = connect(path);
    const whole = putLine({ id: 1, partitionKey: "k", text: "whole" });
    leaving.write(whole + whole.slice(0, 20));
    await once(leaving, "data");
    await until("the record", () => kinesis.stored.length === 1);
    leaving.destroy();
    const staying = connect(path).setEncoding("utf8");
    staying.end(putLine({ id: 2, partitionKey: "k", text: "other" }));
    let answers = "";
    for await (const chunk of staying) answers += chunk;
    expect(answers).toContain('"action":"closed","stored":1,"failed":0');
    producer.child.kill("SIGTERM");
    expect((await producer.ended).code).toBe(0);
    expect(textsOf(kinesis.stored)).toEqual(["whole", "other"]);
  });

  it.each([
    ["--protocol", (text: string) => putLine({ partitionKey: "k", text })],
    ["lines", (text: string) => `${text}\n`],
  ])("that waits for room does not keep the producer from ending (%s)", async (mode, lineOf) => {
    const kinesis = await kinesisFor({ before: never });
    const file = await propertiesOf({ maxInFlightBytes: 2 ** 20, closeTimeoutMillis: 100 });
    const flags = mode === "lines" ? [] : [mode];
    const producer = produce([...flags, "-s", "words", "-p", file, "--endpoint", kinesis.url]);
    for (let i = 0; i < 4; i += 1) producer.child.stdin.write(lineOf("x".repeat(700_000)));
    producer.child.stdin.on("error", () => {});
    await until("the first call", () => kinesis.calls() > 0);
    producer.child.kill("SIGTERM");
    expect((await producer.ended).code).toBe(1);
  });

  it("of a socket that reads nothing does not keep the producer from ending", async () => {
    const kinesis = await kinesisFor();
    const path = join(await temporaryFolder(), "p.sock");
    const file = await propertiesOf({ closeTimeoutMillis: 100 });
    const where = ["-s", "words", "-p", file, "--endpoint", kinesis.url];
    const producer = produce(["--listen", `unix:${path}`, ...where]);
    await producer.logged(/accepts records/);
    const client = connect(path);
    client.on("error", () => {});
    for (let id = 0; id < 20_000; id += 1) {
      client.write(putLine({ id, partitionKey: "k", text: "x" }));
    }
    await until("records", () => userRecords(kinesis.stored).length > 1_000);
    producer.child.kill("SIGTERM");
    await producer.ended;
    client.destroy();
  });
});

describe("over HTTP", () => {
  async function serving(options: Parameters<typeof kinesisFor>[0] = {}) {
    const kinesis = await kinesisFor(options);
    const file = await propertiesOf({ maxInFlightBytes: 2 ** 20 });
    const where = ["-s", "words", "-p", file, "--endpoint", kinesis.url];
    const producer = produce(["--listen", "http://127.0.0.1:0", ...where]);
    const [, url = ""] = await producer.logged(/accepts records at (http:\/\/127\.0\.0\.1:\d+)/);
    return { kinesis, url, ...producer };
  }

  it("answers 429 without room, takes nothing of the request, and later goes on", async () => {
    let release = () => {};
    const gate = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    const { kinesis, url } = await serving({ before: () => gate });
    const post = (text: string, type = "application/json", body?: object) =>
      fetch(type === "application/json" ? `${url}/streams/words/records` : url, {
        method: "POST",
        headers: { "content-type": type, "x-amz-target": "Kinesis_20131202.PutRecord" },
        body: JSON.stringify(body ?? { partitionKey: "k", text }),
      });
    const first = post("a".repeat(700_000));
    await until("the first call", () => kinesis.calls() > 0);
    const second = await post("b".repeat(700_000));
    expect(second.status).toBe(429);
    expect(second.headers.get("retry-after")).toBe("1");
    expect(await second.json()).toMatchObject({ error: "TooManyRequests" });
    const Data = Buffer.alloc(700_000).toString("base64");
    const aws = { StreamName: "words", PartitionKey: "k", Data };
    const third = await post("", "application/x-amz-json-1.1", aws);
    expect(await third.json()).toMatchObject({ __type: "ProvisionedThroughputExceededException" });
    release();
    expect((await first).status).toBe(200);
    expect((await post("c".repeat(700_000))).status).toBe(200);
    expect(textsOf(kinesis.stored).map(([start]) => start)).toEqual(["a", "c"]);
  });

  it("serves an AWS SDK that has it as its endpoint", async () => {
    const { kinesis, url, child, ended } = await serving();
    const sdk = testKinesis(url);
    onTestFinished(() => sdk.destroy());
    const record = (text: string) => ({ Data: Buffer.from(text), PartitionKey: "k" });
    const one = await sdk.send(new PutRecordCommand({ StreamName: "words", ...record("one") }));
    expect(one).toMatchObject({
      ShardId: "shardId-000000000000",
      SequenceNumber: kinesis.stored[0]?.sequenceNumber,
    });
    const Records = [record("two"), { ...record("bad"), ExplicitHashKey: "x" }, record("three")];
    const many = await sdk.send(new PutRecordsCommand({ StreamName: "words", Records }));
    expect(many.FailedRecordCount).toBe(1);
    expect(many.Records?.map(({ ErrorCode = "stored" }) => ErrorCode)).toEqual([
      ...["stored", "ValidationException", "stored"],
    ]);
    const large = { StreamName: "words", ...record("x".repeat(2 ** 20)) };
    await expect(sdk.send(new PutRecordCommand(large))).rejects.toThrow(/update-max-record-size/);
    expect(textsOf(kinesis.stored)).toEqual(["one", "two", "three"]);
    sdk.destroy();
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });
});

/** Files of 64 KiB at most, without the signal: a write then fails, as on a full disk. */
const SMALL_FILES = "trap '' XFSZ; ulimit -f 64";

describe("a spill directory", () => {
  async function accepting(shell?: string, before?: typeof refused) {
    const spill = await temporaryFolder();
    const file = await propertiesOf({ spill });
    const args = ["--protocol", "-s", "words", "-p", file, "--endpoint"];
    const kinesis = await kinesisFor(before && { before });
    const producer = produce([...args, kinesis.url], shell);
    const answers: { action: string; id?: number; error?: string; message?: string }[] = [];
    let rest = "";
    producer.child.stdout.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      answers.push(...lines.map((line) => JSON.parse(line)));
    });
    await until("the producer", () => answers.length > 0);
    return { ...producer, spill, args, answers };
  }

  it("that another producer uses is refused, and that one goes on", async () => {
    const { args, child, answers, spill } = await accepting(undefined, refused);
    const second = await produce([...args, "http://127.0.0.1:1"]).ended;
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`another producer .process ${child.pid}.*${spill}`));
    child.stdin.write(putLine({ id: 1, partitionKey: "k", text: "x" }));
    await until("the record", () => answers.some(({ action }) => action === "accepted"));
  });

  it("that is full refuses new records, and loses none that it has accepted", async () => {
    const { args, child, ended, answers } = await accepting(SMALL_FILES, refused);
    const count = 40;
    const known = () => answers.filter(({ id }) => id !== undefined);
    for (let id = 0; id < count; id += 1) {
      child.stdin.write(putLine({ id, partitionKey: "k", text: `${id} ${"x".repeat(4_000)}` }));
      await until("an answer", () => known().length === id + 1);
    }
    const failed = known().filter(({ error }) => error === "SpillFull");
    expect(failed[0]?.message).toMatch(/EFBIG.*free some space/);
    const accepted = known().flatMap(({ action, id = -1 }) => (action === "accepted" ? [id] : []));
    expect(accepted.length).toBeGreaterThan(5);
    expect(accepted.length + failed.length).toBe(count);
    child.kill("SIGKILL");
    await ended;
    const kinesis = await kinesisFor();
    const again = produce([...args, kinesis.url]);
    again.child.stdin.end();
    expect((await again.ended).code).toBe(0);
    expect(textsOf(kinesis.stored).map((text) => Number.parseInt(text, 10))).toEqual(accepted);
  });

  it("that is full of stored records makes room for new ones", async () => {
    const { child, answers } = await accepting(SMALL_FILES);
    for (let id = 0; id < 40; id += 1) {
      child.stdin.write(putLine({ id, partitionKey: "k", text: `${id} ${"x".repeat(4_000)}` }));
      await until("the result", () =>
        answers.some((each) => each.id === id && each.action !== "accepted"),
      );
    }
    expect(answers.filter(({ error }) => error !== undefined)).toEqual([]);
  });
});

describe("a stream", () => {
  it("that is deleted and made again, with other shards, gets what waited for it", async () => {
    const stream = await createStream("producer", 1);
    const url = inject("kinesisUrl");
    const file = await propertiesOf({ onPermanentError: "wait", aggregationEnabled: "false" });
    const where = ["-s", stream, "-r", "us-east-1", "--endpoint", url];
    const producer = produce(["--protocol", "-p", file, ...where]);
    producer.child.stdin.write(putLine({ id: 1, partitionKey: "k", text: "before" }));
    await until("the first record", async () => (await wordsIn(stream)).length === 1);
    const kinesis = testKinesis(url);
    onTestFinished(() => kinesis.destroy());
    await kinesis.send(new DeleteStreamCommand({ StreamName: stream }));
    for (let id = 2; id < 30; id += 1) {
      producer.child.stdin.write(putLine({ id, partitionKey: `${id}`, text: `${id}` }));
    }
    await producer.logged(/ResourceNotFoundException/);
    await kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 3 }));
    await streamActive(stream);
    producer.child.stdin.end();
    const { code, stdout } = await producer.ended;
    expect(stdout).toContain('"action":"closed","stored":29,"failed":0,"notStored":0');
    expect(code).toBe(0);
    expect(await wordsIn(stream)).toHaveLength(28);
  });
});
