// SQS, SNS and S3 as destinations of dead letters, and STS for the role that writes them, behind a
// real proxy.

import { fileURLToPath } from "node:url";
import { S3 } from "@aws-sdk/client-s3";
import { SNS } from "@aws-sdk/client-sns";
import { SQS } from "@aws-sdk/client-sqs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { execa } from "execa";
import { expect, it } from "vitest";
import { uniqueName } from "../support/emulators.ts";
import { motoOrReason } from "../support/moto.ts";
import { tinyproxyOrReason } from "../support/tinyproxy.ts";
import { makeCertificate, startTlsFront } from "../support/tlsFront.ts";

const LIMIT_MS = 400_000;
const WRITER = fileURLToPath(new URL("./sendLetters.mjs", import.meta.url));
const ROLE = "arn:aws:iam::123456789012:role/words";

it("a role is assumed, and letters are sent to SQS, SNS and S3, through a proxy", {
  timeout: LIMIT_MS,
}, async (context) => {
  const proxy = await tinyproxyOrReason();
  if ("missing" in proxy) return context.skip(proxy.missing);
  const moto = await motoOrReason();
  if ("missing" in moto) return context.skip(moto.missing);
  context.onTestFinished(() => moto.stop());
  const certificate = await makeCertificate();
  if (!certificate) return context.skip("this machine has no network address, or no openssl");
  const front = async () => startTlsFront(certificate, { http1: moto.url });
  const fronts = { STS: await front(), SQS: await front(), SNS: await front(), S3: await front() };

  const options = {
    endpoint: moto.url,
    region: "us-east-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: new NodeHttpHandler(),
  };
  const name = uniqueName("proxied");
  const queues = new SQS(options);
  const { QueueUrl = "" } = await queues.createQueue({ QueueName: name });
  const { TopicArn } = await new SNS(options).createTopic({ Name: name });
  const objects = new S3({ ...options, forcePathStyle: true });
  await objects.createBucket({ Bucket: name });

  const endpoints = Object.entries(fronts).map(
    ([service, { url }]) => [`AWS_ENDPOINT_URL_${service}`, url] as const,
  );
  const queue = `sqs:arn:aws:sqs:us-east-1:123456789012:${name}`;
  await execa(process.execPath, [WRITER, ROLE, queue, `sns:${TopicArn}`, `s3:${name}/letters`], {
    env: {
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: certificate.file,
      ...Object.fromEntries(endpoints),
    },
  });

  const requests = await proxy.requests();
  for (const [service, { url, protocols }] of Object.entries(fronts)) {
    const through = requests.filter((each) => each === `CONNECT ${new URL(url).host}`);
    // No connection has gone past the proxy.
    expect([service, through.length]).toEqual([service, protocols.length]);
    expect(through.length).toBeGreaterThan(0);
  }
  const { Messages = [] } = await queues.receiveMessage({ QueueUrl });
  expect(Messages).toHaveLength(1);
  const { Contents = [] } = await objects.listObjectsV2({ Bucket: name });
  expect(Contents).toHaveLength(1);
});
