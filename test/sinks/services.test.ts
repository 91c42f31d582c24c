// SQS, SNS and S3 as destinations and as sources for redrive, on a moto server; Kinesis on the
// shared emulator.

import { S3 } from "@aws-sdk/client-s3";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { openSource } from "../../src/deadLetters/openSource.ts";
import { parseLetter, parseLetters } from "../../src/deadLetters/parseLetters.ts";
import type { DeadLetter } from "../../src/model/deadLetter.ts";
import { type OpenDestination, openDestination } from "../../src/sinks/openDestination.ts";
import type { ServiceContext } from "../../src/sinks/serviceClients.ts";
import { createStream, uniqueName, wordsIn } from "../support/emulators.ts";
import { type Moto, motoOrReason } from "../support/moto.ts";
import type { Missing } from "../support/python.ts";
import { letter, letters, never, numbersOf } from "./letters.ts";

const REGION = "us-east-1";
const ACCOUNT = "123456789012";
const KEYS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };

let moto: Moto | Missing;
const before = { ...process.env };

beforeAll(async () => {
  moto = await motoOrReason();
  Object.assign(process.env, KEYS);
  if ("url" in moto) {
    for (const service of ["SQS", "SNS", "S3"]) {
      process.env[`AWS_ENDPOINT_URL_${service}`] = moto.url;
    }
  }
}, 300_000);

afterAll(async () => {
  process.env = before;
  if ("url" in moto) await moto.stop();
});

/** The settings of the daemon. A destination may name another region. */
function context(): ServiceContext {
  const service = { region: "eu-central-1", credentials: [{ type: "default" }] } as const;
  const services = { kinesis: service, dynamodb: service, cloudwatch: service };
  return { settings: { services }, emit: () => {} };
}

async function opened(text: string): Promise<OpenDestination> {
  const destination = await openDestination(text, context());
  onTestFinished(() => destination.close());
  return destination;
}

function clientOptions(url: string, region = REGION) {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  return { endpoint: url, region, credentials, requestHandler: new NodeHttpHandler() };
}

const large = (number: number, bytes: number) =>
  letter(number, { data: Buffer.alloc(bytes, "x").toString("base64") });

describe("a queue", () => {
  async function queue(url: string, attributes = {}, name = uniqueName("dead"), region = REGION) {
    const client = new SQS(clientOptions(url, region));
    onTestFinished(() => client.destroy());
    const { QueueUrl = "" } = await client.createQueue({ QueueName: name, Attributes: attributes });
    const received = async (): Promise<DeadLetter[]> => {
      const { Messages = [] } = await client.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
      const found = Messages.flatMap(({ Body = "" }) => parseLetter(Body) ?? []);
      return Messages.length === 0 ? [] : [...found, ...(await received())];
    };
    return {
      client,
      QueueUrl,
      name,
      arn: `sqs:arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
      received,
    };
  }

  it("receives one letter a message, in calls within its limits", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { arn, received } = await queue(moto.url);
    const given = [...letters(25), large(26, 700_000), large(27, 700_000)];
    await (await opened(arn)).send(given, never);
    const found = (await received()).toSorted(
      (a, b) => Number(a.sequenceNumber) - Number(b.sequenceNumber),
    );
    expect(found).toEqual(given);
  });

  it("may be named by its URL", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    // This URL does not name a region, so the daemon's region applies.
    const { QueueUrl, received } = await queue(moto.url, {}, "by-url", "eu-central-1");
    await (await opened(`sqs:${QueueUrl}`)).send([letter(1)], never);
    expect(await received()).toEqual([letter(1)]);
  });

  it("receives a letter that is too large without its payload, and flagged", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { arn, received } = await queue(moto.url);
    await (await opened(arn)).send([large(1, 2 ** 20), letter(2)], never);
    const found = await received();
    expect(found).toHaveLength(2);
    const [bare] = found.filter(({ dataOmitted }) => dataOmitted);
    const { data, ...rest } = letter(1);
    expect(bare).toEqual({ ...rest, dataOmitted: true });
    expect(data).toBeDefined();
  });

  it("that is FIFO delivers a letter once that was sent twice", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { arn, received } = await queue(
      moto.url,
      { FifoQueue: "true" },
      `${uniqueName("dead")}.fifo`,
    );
    await (await opened(arn)).send(letters(3), never);
    await (await opened(arn)).send(letters(3), never);
    expect(numbersOf(await received())).toEqual([1, 2, 3]);
  });

  it("that does not exist fails with an error that says so", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const destination = await opened(`sqs:arn:aws:sqs:${REGION}:${ACCOUNT}:nowhere`);
    await expect(destination.send([letter(1)], never)).rejects.toThrow("queue does not exist");
  });

  it("is a source: it deletes redriven letters and makes the others visible again at once", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { arn, received, client, QueueUrl } = await queue(moto.url);
    await (await opened(arn)).send([...letters(3), letter(4, { shardId: "other" })], never);
    await client.sendMessage({ QueueUrl, MessageBody: "no letter" });
    const source = await openSource(arn, context(), Date.now);
    const found: DeadLetter[] = [];
    for await (const each of source.read("shardId-000000000000")) found.push(...each.letters);
    expect(numbersOf(found).toSorted()).toEqual([1, 2, 3]);
    await source.markRedriven(found.slice(0, 2), "a test");
    await source.close();
    const rest = numbersOf([...(await received())]).toSorted();
    expect(rest).toEqual([...numbersOf(found.slice(2)), 4].toSorted());
  });
});

describe("a topic", () => {
  it("receives letters, and those that are too large without their payload", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const sns = new SNS(clientOptions(moto.url));
    const sqs = new SQS(clientOptions(moto.url));
    onTestFinished(() => {
      sns.destroy();
      sqs.destroy();
    });
    const name = uniqueName("dead");
    const { TopicArn = "" } = await sns.createTopic({ Name: name });
    const { QueueUrl = "" } = await sqs.createQueue({ QueueName: name });
    const Endpoint = `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`;
    const Attributes = { RawMessageDelivery: "true" };
    await sns.subscribe({ TopicArn, Protocol: "sqs", Endpoint, Attributes });
    await (await opened(`sns:${TopicArn}`)).send([...letters(12), large(13, 300_000)], never);
    const found: DeadLetter[] = [];
    for (let count = 1; count > 0; ) {
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
      count = Messages.length;
      found.push(...Messages.flatMap(({ Body = "" }) => parseLetter(Body) ?? []));
    }
    expect(numbersOf(found).toSorted((a, b) => a - b)).toEqual(numbersOf(letters(13)));
    expect(
      found.filter(({ dataOmitted }) => dataOmitted).map((each) => each.sequenceNumber),
    ).toEqual(["13"]);
  });
});

describe("a bucket", () => {
  async function bucket(url: string) {
    const client = new S3({ ...clientOptions(url), forcePathStyle: true });
    onTestFinished(() => client.destroy());
    const Bucket = uniqueName("dead");
    await client.createBucket({ Bucket });
    const objects = async (): Promise<Record<string, readonly number[]>> => {
      const { Contents = [] } = await client.listObjectsV2({ Bucket });
      const found = await Promise.all(
        Contents.map(async ({ Key = "" }): Promise<[string, readonly number[]]> => {
          const { Body } = await client.getObject({ Bucket, Key });
          const text = (await Body?.transformToString()) ?? "";
          return [Key, numbersOf(parseLetters(text).letters)];
        }),
      );
      return Object.fromEntries(found);
    };
    return { place: `s3:${Bucket}/some/where`, objects };
  }
  const folder = "some/where/app/words/shardId-000000000000";

  it("stores whole letters in an object that is named after them, and overwrites it when sent again", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { place, objects } = await bucket(moto.url);
    const destination = await opened(place);
    await destination.send([letter(1), large(2, 2 ** 20)], never);
    await destination.send([letter(1), large(2, 2 ** 20)], never);
    await destination.send([letter(3, { subSequenceNumber: 7 })], never);
    expect(await objects()).toEqual({
      [`${folder}/1.0-2.0.ndjson`]: [1, 2],
      [`${folder}/3.7-3.7.ndjson`]: [3],
    });
  });

  it("is a source: redriven letters move to another object, the others stay", async (ctx) => {
    if ("missing" in moto) return ctx.skip(moto.missing);
    const { place, objects } = await bucket(moto.url);
    const destination = await opened(place);
    await destination.send(letters(3), never);
    await destination.send([letter(4)], never);
    await destination.send([letter(5, { shardId: "other" })], never);
    const redrive = async (numbers: readonly number[]) => {
      const source = await openSource(place, context(), Date.now);
      const seen: number[] = [];
      for await (const { letters: found } of source.read("shardId-000000000000")) {
        seen.push(...numbersOf(found));
        const wanted = found.filter((each) => numbers.includes(Number(each.sequenceNumber)));
        await source.markRedriven(wanted, "a test");
      }
      await source.close();
      return seen;
    };
    expect(await redrive([1, 3, 4])).toEqual([1, 2, 3, 4]);
    const done = folder.replace("some/where", "some/where/redriven");
    const other = "some/where/app/words/other/5.0-5.0.ndjson";
    expect(await objects()).toEqual({
      [`${folder}/1.0-3.0.ndjson`]: [2],
      [`${done}/1.0-3.0.ndjson`]: [1, 3],
      [`${done}/4.0-4.0.ndjson`]: [4],
      [other]: [5],
    });
    expect(await redrive([2])).toEqual([2]);
    expect(await objects()).toEqual({
      [`${done}/1.0-3.0.ndjson`]: [1, 3, 2],
      [`${done}/4.0-4.0.ndjson`]: [4],
      [other]: [5],
    });
  });
});

describe("a stream", () => {
  it("receives letters under the keys of their records, too large ones without their payload", async () => {
    const stream = await createStream("dead", 1);
    const service = {
      region: REGION,
      endpoint: inject("kinesisUrl"),
      credentials: [{ type: "default" }],
    } as const;
    const services = { kinesis: service, dynamodb: service, cloudwatch: service };
    const settings = { services };
    const destination = await openDestination(`kinesis:${stream}`, { settings, emit: () => {} });
    onTestFinished(() => destination.close());
    await destination.send([...letters(3), large(4, 2 ** 20)], never);
    const found = (await wordsIn(stream)).flatMap((text) => parseLetter(text) ?? []);
    expect(found.slice(0, 3)).toEqual(letters(3));
    expect(found[3]).toMatchObject({ sequenceNumber: "4", dataOmitted: true });
  });
});
