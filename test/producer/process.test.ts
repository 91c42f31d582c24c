// `kinesis-multilang produce` as a process: the protocol, lines, a Unix socket and HTTP, against a
// Kinesis over HTTP.

import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { produce, putLine, talk } from "../support/produce.ts";
import { kinesisFor } from "../support/producerClient.ts";
import { userRecords } from "../support/putKinesis.ts";

describe("the protocol", () => {
  it("stores each record where its result says, and in order", async () => {
    const kinesis = await kinesisFor({ shards: 2 });
    const keys = ["cats", "dogs", "ключ"];
    const lines = Array.from({ length: 300 }, (_, id) =>
      putLine({ id, partitionKey: keys[id % 3], text: `${id}` }),
    );
    const { code, messages } = await talk(kinesis.url, lines);
    expect(code).toBe(0);
    expect(messages[0]).toMatchObject({ action: "ready", stream: "words" });
    expect(messages.at(-1)).toEqual({ action: "closed", stored: 300, failed: 0, notStored: 0 });
    const told = messages.filter(({ action }) => action === "result");
    const read = userRecords(kinesis.stored);
    for (const { shardId, sequenceNumber, subSequenceNumber, data } of read) {
      const place = { shardId, sequenceNumber, subSequenceNumber };
      expect(told).toContainEqual(expect.objectContaining({ id: Number(String(data)), ...place }));
    }
    for (const key of keys) {
      const ids = read.filter((each) => each.key === key).map(({ data }) => Number(String(data)));
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    }
    expect(read).toHaveLength(300);
    expect(kinesis.stored.length).toBeLessThan(100);
  });

  it("stores data, text and json as bytes", async () => {
    const kinesis = await kinesisFor();
    const bytes = Buffer.from([0, 255, 10, 128]);
    await talk(kinesis.url, [
      putLine({ partitionKey: "k", data: bytes.toString("base64") }),
      putLine({ partitionKey: "k", text: "\u2028é" }),
      putLine({ partitionKey: "k", json: { a: [1, null] } }),
    ]);
    expect(userRecords(kinesis.stored).map(({ data }) => data)).toEqual([
      bytes,
      Buffer.from("\u2028é"),
      Buffer.from('{"a":[1,null]}'),
    ]);
  });

  it.each([
    ["junk", "{", /^the line is not JSON/],
    ["text that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
    ["a list", "[]", /not a JSON object/],
    ["an unknown action", '{"action":"dance"}', /"dance".*allowed: start, put/],
    ["a wrong field", '{"action":"flush","timeoutMs":-1}', /timeoutMs/],
  ])("reports %s with its line, and goes on", async (_, line, message) => {
    const kinesis = await kinesisFor();
    const good = putLine({ id: 1, partitionKey: "k", text: "good" });
    const { code, messages } = await talk(kinesis.url, ["\n", line, "\n", good]);
    expect(messages[1]).toMatchObject({ action: "error", line: 2, error: "InvalidMessage" });
    expect(messages[1]).toHaveProperty("message", expect.stringMatching(message));
    expect(messages.at(-1)).toMatchObject({ stored: 1, failed: 0 });
    expect(code).toBe(0);
  });

  it.each([
    ["an empty key", { partitionKey: "", text: "x" }, "InvalidRecord", /0 characters/],
    [
      "a key of 257 characters",
      { partitionKey: "k".repeat(257), text: "x" },
      "InvalidRecord",
      /257/,
    ],
    ["no key", { text: "x" }, "InvalidRecord", /partitionKey is missing/],
    [
      "a hash key out of range",
      { partitionKey: "k", explicitHashKey: String(2n ** 128n), text: "x" },
      "InvalidRecord",
      /2\^128-1/,
    ],
    ["two payloads", { partitionKey: "k", text: "x", data: "" }, "InvalidRecord", /exactly one/],
    ["no payload", { partitionKey: "k" }, "InvalidRecord", /exactly one/],
    ["text in place of base64", { partitionKey: "k", data: "cat" }, "InvalidRecord", /base64/],
    [
      "a record above the limit",
      { partitionKey: "k", text: "x".repeat(2 ** 20) },
      "RecordTooLarge",
      /update-max-record-size/,
    ],
  ])("fails %s alone", async (_, record, error, message) => {
    const kinesis = await kinesisFor();
    const others = [1, 2].map((id) => putLine({ id, partitionKey: "k", text: "x" }));
    const { code, messages } = await talk(kinesis.url, [
      others[0] ?? "",
      putLine({ id: "bad", ...record }),
      others[1] ?? "",
    ]);
    const failed = messages.find((each) => "id" in each && each.id === "bad");
    expect(failed).toMatchObject({ error, message: expect.stringMatching(message) });
    expect(messages.at(-1)).toEqual({ action: "closed", stored: 2, failed: 1, notStored: 0 });
    expect(code).toBe(1);
  });

  it("answers flush and metrics, and returns credit for every line", async () => {
    const kinesis = await kinesisFor();
    const lines = [
      '{"action":"start","credit":true}\n',
      putLine({ id: 1, partitionKey: "k", text: "x" }),
      '{"action":"flush","id":"f"}\n',
      '{"action":"metrics","id":"m","name":"UserRecordsReceived"}\n',
    ];
    const { messages } = await talk(kinesis.url, lines);
    expect(messages).toContainEqual({ action: "flushed", id: "f", notStored: 0 });
    expect(messages).toContainEqual({
      action: "metrics",
      id: "m",
      metrics: expect.arrayContaining([expect.objectContaining({ sum: 1, dimensions: {} })]),
    });
    const returned = messages.flatMap((each) => (each.action === "credit" ? [each.bytes] : []));
    const written = lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    expect(returned.reduce((sum, bytes) => sum + bytes, 0)).toBe(written);
  });

  it("tells that a record may be stored twice when a connection is cut after the request", async () => {
    const kinesis = await kinesisFor({
      before: (call) => (call === 0 ? { type: "cutAfter" } : undefined),
    });
    const { messages } = await talk(kinesis.url, [
      putLine({ id: 1, partitionKey: "k", text: "x" }),
    ]);
    expect(messages.find(({ action }) => action === "result")).toMatchObject({
      attempts: [{ success: false, maybeStored: true }, { success: true }],
    });
    expect(userRecords(kinesis.stored)).toHaveLength(2);
  });

  it("stores a large record if the limit of the stream allows it", async () => {
    const kinesis = await kinesisFor({ maxRecordKib: 10_240 });
    const big = putLine({ id: "big", partitionKey: "k", text: "x".repeat(3_000_000) });
    const { messages } = await talk(kinesis.url, [big]);
    expect(messages.at(-1)).toMatchObject({ stored: 1, failed: 0 });
  });

  it.each(["ResourceNotFoundException", "AccessDeniedException", "KMSDisabledException"])(
    "fails records at %s",
    async (name) => {
      const kinesis = await kinesisFor({ before: () => ({ type: "error", name, message: "no" }) });
      const { code, messages, stderr } = await talk(kinesis.url, [
        putLine({ id: 1, partitionKey: "k", text: "x" }),
      ]);
      expect(messages).toContainEqual(expect.objectContaining({ id: 1, error: name }));
      expect(stderr).toContain("kinesis:PutRecords");
      expect(code).toBe(1);
    },
  );

  it("says what is wrong with the configuration, and writes nothing to STDOUT", async () => {
    const folder = await mkdtemp(join(tmpdir(), "produce-"));
    const file = join(folder, "p.properties");
    await writeFile(file, "RateLimit = 0\nAggregationMaxSize = 7\nRecordTTL = 1\n");
    const { ended } = produce(["--protocol", "-p", file]);
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(`${file}:1: RateLimit: found "0"; allowed: a whole number from 1`);
    expect(stderr).toContain(`${file}:2: AggregationMaxSize: found "7"`);
    expect(stderr).toContain("did you mean RecordTtl?");
  });
});

describe("a client that goes", () => {
  it("has its records stored, although it closes STDOUT", async () => {
    const kinesis = await kinesisFor();
    const { child, ended } = produce(["--protocol", "-s", "words", "--endpoint", kinesis.url]);
    await once(child.stdout, "data");
    child.stdin.write(putLine({ id: 1, partitionKey: "k", text: "x" }));
    child.stdout.destroy();
    child.stdin.end();
    await ended;
    expect(userRecords(kinesis.stored)).toHaveLength(1);
  });

  it("ends the producer at SIGTERM with all that it read stored", async () => {
    const kinesis = await kinesisFor();
    const { child, ended } = produce(["--protocol", "-s", "words", "--endpoint", kinesis.url]);
    await once(child.stdout, "data");
    child.stdin.write(`{"action":"start"}\n${putLine({ id: 1, partitionKey: "k", text: "x" })}`);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    const { code, stdout } = await ended;
    expect(stdout).toContain('"action":"closed","stored":1');
    expect(code).toBe(0);
  });
});

describe("a producer with a spill directory", () => {
  it("stores after kill -9 what it has accepted", async () => {
    const spill = await mkdtemp(join(tmpdir(), "produce-"));
    const properties = join(spill, "p.properties");
    await writeFile(properties, `spill = ${spill}\n`);
    const refusing = await kinesisFor({
      before: () => ({ type: "error", name: "KMSDisabledException" }),
    });
    const args = ["--protocol", "-s", "words", "-p", properties, "--endpoint"];
    const first = produce([...args, refusing.url]);
    let accepted = 0;
    const all = new Promise<void>((resolve) => {
      first.child.stdout.on("data", (text: string) => {
        accepted += text.split('"accepted"').length - 1;
        if (accepted === 50) resolve();
      });
    });
    for (let id = 0; id < 50; id += 1) {
      first.child.stdin.write(putLine({ id, partitionKey: "k", text: `${id}` }));
    }
    await all;
    first.child.kill("SIGKILL");
    await first.ended;
    const kinesis = await kinesisFor();
    const second = produce([...args, kinesis.url]);
    second.child.stdin.end();
    const { code } = await second.ended;
    expect(code).toBe(0);
    const read = userRecords(kinesis.stored).map(({ data }) => Number(String(data)));
    expect(read).toEqual(Array.from({ length: 50 }, (_, id) => id));
  });
});

describe("lines", () => {
  it("puts each line with its hash as key, and shows the total", async () => {
    const kinesis = await kinesisFor({ shards: 2 });
    const { child, ended } = produce(["-s", "words", "--key-from-hash", "--endpoint", kinesis.url]);
    child.stdin.end("cat\ndog\n\ncat");
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/words: 3 records in .*: cat 2, dog 1/);
    const read = userRecords(kinesis.stored);
    expect(read.map(({ data }) => String(data)).sort()).toEqual(["cat", "cat", "dog"]);
    expect(new Set(read.map(({ key }) => key))).toContain("d077f244def8a70e5ea758bd8352fcd8");
  });
});

describe("sockets", () => {
  async function serving(...addresses: readonly string[]) {
    const kinesis = await kinesisFor();
    const folder = await mkdtemp(join(tmpdir(), "produce-"));
    const path = join(folder, "p.sock");
    const where = addresses.length > 0 ? addresses : [`unix:${path}`];
    const args = where.flatMap((address) => ["--listen", address]);
    const producer = produce([...args, "-s", "words", "--endpoint", kinesis.url]);
    const [, url = ""] = await producer.logged(/accepts records at ((?:http|unix):[^"]+?)\./);
    return { kinesis, path, url: url.replace(/\.$/, ""), ...producer };
  }

  it("serves several clients, each with its own results", async () => {
    const { path, child, ended, kinesis } = await serving();
    const clients = [1, 2].map(async (client) => {
      const socket = connect(path).setEncoding("utf8");
      socket.end(putLine({ id: client, partitionKey: "k", text: `from ${client}` }));
      let text = "";
      for await (const chunk of socket) text += chunk;
      return text
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    });
    for (const [index, messages] of (await Promise.all(clients)).entries()) {
      expect(messages.map(({ action }) => action)).toEqual(["ready", "result", "closed"]);
      expect(messages[1].id).toBe(index + 1);
    }
    child.kill("SIGTERM");
    const { code, stderr } = await ended;
    expect(code).toBe(0);
    expect(stderr).toContain("2 records stored, 0 failed, 0 without an outcome");
    expect(userRecords(kinesis.stored)).toHaveLength(2);
  });

  it("takes records over HTTP: one, many, and from an AWS SDK", async () => {
    const { logged, kinesis, child, ended } = await serving("http://127.0.0.1:0");
    const [, url = ""] = await logged(/(http:\/\/127\.0\.0\.1:\d+)/);
    const post = (path: string, type: string, body: string, headers = {}) =>
      fetch(`${url}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": type, ...headers },
      });
    const one = await post(
      "/streams/words/records",
      "application/json",
      '{"partitionKey":"k","text":"one"}',
    );
    expect(one.status).toBe(200);
    expect(await one.json()).toMatchObject({
      shardId: "shardId-000000000000",
      attempts: [{ success: true }],
    });
    const bad = await post(
      "/streams/words/records",
      "application/json",
      '{"partitionKey":"","text":"x"}',
    );
    expect(bad.status).toBe(400);
    const many = await post(
      "/streams/words/records",
      "application/x-ndjson",
      '{"partitionKey":"k","text":"two"}\njunk\n{"partitionKey":"k","text":"three"}\n',
    );
    const results = (await many.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(results.map((each) => each.error ?? "stored")).toEqual([
      "stored",
      "InvalidRecord",
      "stored",
    ]);
    const aws = await post(
      "/",
      "application/x-amz-json-1.1",
      JSON.stringify({ StreamName: "words", Records: [{ Data: "Zm91cg==", PartitionKey: "k" }] }),
      { "x-amz-target": "Kinesis_20131202.PutRecords" },
    );
    expect(await aws.json()).toMatchObject({
      FailedRecordCount: 0,
      Records: [{ ShardId: "shardId-000000000000" }],
    });
    expect((await post("/streams/words/records", "text/plain", "x")).status).toBe(415);
    expect((await post("/elsewhere", "application/json", "{}")).status).toBe(404);
    expect(userRecords(kinesis.stored).map(({ data }) => String(data))).toEqual([
      "one",
      "two",
      "three",
      "four",
    ]);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });

  it("listens on loopback addresses only", async () => {
    const { code, stderr } = await produce(["--listen", "http://0.0.0.0:9"]).ended;
    expect(code).toBe(1);
    expect(stderr).toContain("only loopback addresses");
  });
});
