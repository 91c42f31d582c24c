// Our producer together with the originals: what it stores is read by the real Java KCL and by the
// published libraries that open aggregates, and what the real Kinesis Producer Library stores has
// the bytes that ours would have.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { execa } from "execa";
import { afterAll, describe, expect, inject, it } from "vitest";
import { Producer, type Stored } from "../../src/producer/producer.ts";
import { EnvelopeWriter } from "../../src/records/kpl/envelope.ts";
import { Scope } from "../../src/sample/scope.ts";
import { RUNS } from "../bench/paths.ts";
import { producerRivals } from "../bench/producers.ts";
import { useDynamo } from "../bench/services.ts";
import { readJournals } from "../chaos/journal.ts";
import { PROCESSOR } from "../chaos/paths.ts";
import { createStream, shardsOf, streamActive, testKinesis } from "../support/emulators.ts";
import { decodeEnvelope } from "../support/kplEnvelope.ts";
import { startPutKinesis, userRecords } from "../support/putKinesis.ts";
import { makeCertificate, startTlsFront } from "../support/tlsFront.ts";
import { TOOLS_CACHE } from "../support/toolchains.ts";
import { startJava } from "./javaDaemon.ts";

const LIMIT_MS = 600_000;
const STOP_PATIENCE_MS = 5_000;
const LOOK_MS = 500;
const NO_LIMIT = 2 ** 31;

const AGG = { npm: "aws-kinesis-agg@4.2.8", pip: "aws-kinesis-agg==1.2.3" } as const;
const KEYS = ["cats", "dogs", "ключ", "k".repeat(256)];
const texts = Array.from({ length: 400 }, (_, n) => `${n} é\u2028"\\ 🐈${"x".repeat(n)}`);

process.env["AWS_ACCESS_KEY_ID"] = "local";
process.env["AWS_SECRET_ACCESS_KEY"] = "local";

const scope = new Scope();
afterAll(() => scope.close());

/** What our producer stores, and where it says that it did. */
async function ours() {
  const kinesis = await startPutKinesis();
  const producer = new Producer({ stream: "s", region: "us-east-1", endpoint: kinesis.url });
  await producer.put({ partitionKey: "first", data: "so that the shards are known" });
  const stored = await Promise.all(
    texts.map((data, n) => producer.put({ partitionKey: KEYS[n % KEYS.length] ?? "", data })),
  );
  await producer.close();
  kinesis.stop();
  return { records: kinesis.stored, stored };
}

/** Gives each Kinesis record to a program, and returns the user records that it prints. */
async function openedBy(command: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const { records } = await ours();
  const input = records.map(({ data }) => `${data.toString("base64")}\n`).join("");
  const { stdout } = await execa(command, args, { input, env });
  const lines = stdout.split("\n").map((line) => JSON.parse(line) as [string, string][]);
  const aggregates = lines.filter((_, index) => decodeEnvelope(records[index]?.data ?? EMPTY));
  return aggregates.flat().map(([key, data]) => `${key} ${Buffer.from(data, "base64")}`);
}

const EMPTY = Buffer.alloc(0);
const expected = texts.map((text, n) => `${KEYS[n % KEYS.length]} ${text}`);

describe("what our producer stores", () => {
  it("is opened by the npm package aws-kinesis-agg", { timeout: LIMIT_MS }, async () => {
    const folder = join(TOOLS_CACHE, "aws-kinesis-agg");
    if (!existsSync(join(folder, "node_modules"))) {
      mkdirSync(folder, { recursive: true });
      await execa("npm", ["install", AGG.npm, "--prefix", folder, "--no-audit", "--no-fund"]);
    }
    const program = join(import.meta.dirname, "agg.cjs");
    const env = { NODE_PATH: join(folder, "node_modules") };
    expect((await openedBy(process.execPath, [program], env)).sort()).toEqual(expected.toSorted());
  });

  it("is opened by the Python package aws_kinesis_agg", { timeout: LIMIT_MS }, async () => {
    const folder = join(TOOLS_CACHE, "aws_kinesis_agg");
    if (!existsSync(folder)) {
      await execa("python3", ["-m", "pip", "install", "--quiet", "--target", folder, AGG.pip]);
    }
    const env = { PYTHONPATH: folder, PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION: "python" };
    const program = join(import.meta.dirname, "agg.py");
    expect((await openedBy("python3", [program], env)).sort()).toEqual(expected.toSorted());
  });

  it("is delivered by the Java KCL across a split, once and where put said", {
    timeout: LIMIT_MS,
  }, async () => {
    const journal = join(RUNS, "producer-journal");
    rmSync(journal, { recursive: true, force: true });
    mkdirSync(journal, { recursive: true });
    const name = await createStream("producer", 1);
    const endpoint = inject("kinesisUrl");
    const producer = new Producer({ stream: name, region: "us-east-1", endpoint });
    const putAll = (from: number, to: number): Promise<Stored>[] =>
      Array.from({ length: to - from }, (_, i) =>
        producer.put({ partitionKey: `key-${(from + i) % 24}`, data: String(from + i) }),
      );
    const puts = putAll(0, 500);
    await Promise.all(puts);
    puts.push(...putAll(500, 1_000));
    const client = testKinesis();
    const [shard] = await shardsOf(name);
    const middle = String(2n ** 127n);
    await client.send(
      new SplitShardCommand({
        StreamName: name,
        ShardToSplit: shard?.ShardId,
        NewStartingHashKey: middle,
      }),
    );
    await streamActive(name);
    client.destroy();
    puts.push(...putAll(1_000, 1_500));
    const places = (await Promise.all(puts)).map(
      ({ sequenceNumber, subSequenceNumber }) => `${sequenceNumber}#${subSequenceNumber}`,
    );
    await producer.close();

    const dynamoDBEndpoint = await useDynamo(scope, true);
    const java = await startJava(
      name,
      {
        executableName: `${process.execPath} ${PROCESSOR}`,
        applicationName: name,
        streamName: name,
        kinesisEndpoint: endpoint,
        dynamoDBEndpoint,
      },
      undefined,
      { JOURNAL_DIR: journal },
    );
    const read = async () => (await readJournals(journal)).flatMap(({ deliveries }) => deliveries);
    try {
      while ((await read()).length < puts.length) {
        java.mustRun();
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    } finally {
      await java.stop(STOP_PATIENCE_MS);
    }
    const deliveries = (await read()).sort((a, b) => a.atMs - b.atMs);
    expect(deliveries.toSorted((a, b) => a.n - b.n).map(({ seq }) => seq)).toEqual(places);
    for (const key of new Set(deliveries.map((each) => each.key))) {
      const numbers = deliveries.filter((each) => each.key === key).map(({ n }) => n);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });
});

describe("what the Kinesis Producer Library stores", () => {
  it("has the bytes that ours would have", { timeout: LIMIT_MS }, async (context) => {
    const certificate = await makeCertificate();
    if (!certificate) return context.skip("no network address, or no openssl");
    mkdirSync(RUNS, { recursive: true });
    const kinesis = await startPutKinesis({ shards: 2 });
    const front = await startTlsFront(certificate, { http1: kinesis.url });
    const [, kpl] = await producerRivals("dist/main.js", true);
    const [program = "", ...args] = kpl?.command ?? [];
    const child = spawn(program, [...args, front.url, "100", "2000", "0", "0", "2000"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    kinesis.stop();
    const opened = userRecords(kinesis.stored);
    expect(opened.map(({ key }) => key).sort()).toEqual(
      Array.from({ length: 2_000 }, (_, n) => `key-${n}`).sort(),
    );
    const aggregates = kinesis.stored.flatMap(({ data, partitionKey }) => {
      const users = decodeEnvelope(data);
      return users ? [{ data, partitionKey, users }] : [];
    });
    expect(aggregates.length).toBeGreaterThan(0);
    for (const { data, partitionKey, users } of aggregates) {
      expect(partitionKey).toBe("a");
      const writer = new EnvelopeWriter();
      for (const user of users) {
        writer.add(user.partitionKey, user.explicitHashKey, user.data, NO_LIMIT);
      }
      expect(data.equals(writer.finish().bytes)).toBe(true);
    }
  });
});
