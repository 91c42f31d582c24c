// Objects in S3, on a moto server. The connector's process is killed before and after each of its
// calls; at the end the objects have every record once.

import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { S3 } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ChildFailed } from "../../src/child/childFailed.ts";
import { startProcessor } from "../../src/child/startProcessor.ts";
import { systemClock } from "../../src/clock.ts";
import { connectorSchema } from "../../src/config/connector/connectorKeys.ts";
import { openS3 } from "../../src/connectors/emitters/s3.ts";
import { isSequenceNumber, type Position, TRIM_HORIZON } from "../../src/model/position.ts";
import { batchOf } from "../support/batches.ts";
import { propertiesFile } from "../support/daemon.ts";
import { uniqueName } from "../support/emulators.ts";
import { type Moto, motoOrReason } from "../support/moto.ts";
import type { Missing } from "../support/python.ts";

const PROGRAM = new URL("../../dist/connector.js", import.meta.url).pathname;
const SHARD = "shardId-000000000000";
const RECORDS = 40;
const ENV = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };

let moto: Moto | Missing;
beforeAll(async () => {
  moto = await motoOrReason();
}, 300_000);
afterAll(async () => {
  if ("url" in moto) await moto.stop();
});

function clientOf(endpoint: string): S3 {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const requestHandler = new NodeHttpHandler();
  return new S3({
    endpoint,
    region: "us-east-1",
    credentials,
    requestHandler,
    forcePathStyle: true,
  });
}

/** Passes requests on, and calls `onCall` before and after each. */
async function proxyTo(url: string, onCall: () => void): Promise<string> {
  const { hostname, port } = new URL(url);
  const pass = (from: IncomingMessage, to: ServerResponse) => {
    onCall();
    const { method, headers, url: path } = from;
    const onward = request({ hostname, port, method, headers, path }, (answer) => {
      onCall();
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    onward.on("error", () => to.destroy());
    from.pipe(onward);
  };
  const server = createServer(pass).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const numberOf = (position: Position) =>
  position.sequenceNumber === "TRIM_HORIZON" ? 0 : Number(position.sequenceNumber) - 1000;

const recordOf = (number: number) => ({
  sequenceNumber: String(1000 + number),
  data: Buffer.from(JSON.stringify({ number, kind: `k${number % 3}` })).toString("base64"),
  approximateArrivalTimestamp: Date.UTC(2026, 0, 1, 0, 0, number),
});

interface Shard {
  stored: Position;
  isEnded: boolean;
}

/** Kills the process at one of its calls: 1 is before the first one, 2 after it. */
class Fate {
  kill = () => {};
  #left: number;

  constructor(calls: number) {
    this.#left = calls;
  }

  step(): void {
    this.#left -= 1;
    if (this.#left === 0) this.kill();
  }
}

/** One life of the connector's process, as the daemon runs it, from the stored position on. */
async function live(shard: Shard, file: string, fate: Fate): Promise<void> {
  const start = startProcessor({
    command: { file: process.execPath, args: [PROGRAM, JSON.stringify({ file })] },
    workerId: "w",
    env: ENV,
    closeGraceMs: 30_000,
    terminateGraceMs: 1_000,
    clock: systemClock,
    emit: () => {},
  });
  const processor = await start(SHARD, async ({ sequenceNumber }) => {
    fate.step();
    if (sequenceNumber === null) shard.isEnded = true;
    else if (isSequenceNumber(sequenceNumber)) {
      shard.stored = { sequenceNumber, subSequenceNumber: 0 };
    }
    fate.step();
  });
  fate.kill = () => processor.kill();
  try {
    await processor.initialize(shard.stored);
    let lists = numberOf(shard.stored);
    for (let next = numberOf(shard.stored) + 1; next <= RECORDS; lists += 1) {
      const length = Math.min(3 + (lists % 5), RECORDS - next + 1);
      const numbers = Array.from({ length }, (_, index) => next + index);
      next += length;
      await processor.processRecords(batchOf(numbers.map(recordOf)), 0);
    }
    await processor.shardEnded();
  } catch (error) {
    if (!(error instanceof ChildFailed)) throw error;
  } finally {
    await processor.stop();
  }
}

async function linesByKey(client: S3, bucket: string): Promise<ReadonlyMap<string, string[]>> {
  const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
  const found = new Map<string, string[]>();
  for (const { Key = "" } of Contents) {
    const { Body } = await client.getObject({ Bucket: bucket, Key });
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    const text = Key.endsWith(".gz") ? await promisify(zlib.gunzip)(bytes) : bytes;
    found.set(Key, text.toString().trimEnd().split("\n"));
  }
  return found;
}

const numbersIn = (objects: ReadonlyMap<string, string[]>) =>
  [...objects.values()].flat().map((line) => JSON.parse(line).number);

const ALL = Array.from({ length: RECORDS }, (_, index) => index + 1);

/** More calls than a life has. */
const NEVER = 1_000;

describe("connect --to s3", { timeout: 600_000 }, () => {
  it("has each record in one object, if it is killed before and after each call", async (test) => {
    if ("missing" in moto) return test.skip(moto.missing);
    const client = clientOf(moto.url);
    const bucket = uniqueName("connect");
    await client.createBucket({ Bucket: bucket });
    let fate = new Fate(NEVER);
    const proxy = await proxyTo(moto.url, () => fate.step());
    const file = await propertiesFile({
      connectorDestination: "s3",
      s3Bucket: bucket,
      s3Endpoint: proxy,
      regionName: "us-east-1",
      streamName: "clicks",
      prefix: "{json:kind}/dt={time:yyyy-MM-dd}/",
      compression: "gzip",
      bufferRecordCountLimit: 10,
    });
    const shard: Shard = { stored: TRIM_HORIZON, isEnded: false };
    for (let call = 1; !shard.isEnded; call += 1) {
      fate = new Fate(call);
      await live(shard, file, fate);
    }
    const objects = await linesByKey(client, bucket);
    expect(numbersIn(objects).toSorted((a, b) => a - b)).toEqual(ALL);
    for (const [key, lines] of objects) {
      const first = JSON.parse(lines[0] ?? "");
      const name = `${first.kind}/dt=2026-01-01/${SHARD}/${1000 + first.number}.ndjson.gz`;
      expect(key).toBe(name);
      for (const line of lines) expect(JSON.parse(line).kind).toBe(first.kind);
    }
  });

  it("sends large objects in parts", async (test) => {
    if ("missing" in moto) return test.skip(moto.missing);
    const client = clientOf(moto.url);
    const bucket = uniqueName("parts");
    await client.createBucket({ Bucket: bucket });
    const emitter = await opened({ s3Bucket: bucket, s3Endpoint: moto.url });
    const items = Array.from({ length: 10 }, (_, index) =>
      emitter.toItem("x".repeat(2 ** 20), sourceOf(index), 0),
    );
    await emitter.emit(items, new AbortController().signal);
    const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
    expect(Contents.map(({ Size }) => Size)).toEqual([10 * (2 ** 20 + 1)]);
    expect(Contents[0]?.ETag).toMatch(/-2"$/);
  });

  it("names a missing bucket before it starts, and waits for one that goes missing", async (test) => {
    if ("missing" in moto) return test.skip(moto.missing);
    const emitter = await opened({ s3Bucket: uniqueName("none"), s3Endpoint: moto.url });
    await expect(emitter.check()).rejects.toThrow(/The bucket none-.* cannot be used/);
    const item = emitter.toItem("{}", sourceOf(1), 0);
    await expect(emitter.emit([item], new AbortController().signal)).rejects.toMatchObject({
      kind: "configuration",
      message: expect.stringContaining("NoSuchBucket"),
    });
  });
});

const sourceOf = (number: number) => ({
  ...recordOf(number),
  shardId: SHARD,
  subSequenceNumber: 0,
  partitionKey: "key",
});

async function opened(properties: Readonly<Record<string, string>>) {
  Object.assign(process.env, ENV);
  const service = { region: "us-east-1", credentials: [{ type: "default" }] } as const;
  const services = { kinesis: service, dynamodb: service, cloudwatch: service };
  const context = { settings: { services }, emit: () => {} };
  const emitter = await openS3(connectorSchema.parse(properties), context);
  onTestFinished(() => emitter.close());
  return emitter;
}
