// The daemon behind a real proxy: every service is reached through it, subscriptions included.

import { expect, inject, it, type TestContext } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startHttp2Proxy } from "../support/http2Proxy.ts";
import { Journal } from "../support/journal.ts";
import { type Tinyproxy, tinyproxyOrReason } from "../support/tinyproxy.ts";
import { makeCertificate, startTlsFront } from "../support/tlsFront.ts";

/** Kinesis and DynamoDB with TLS, at an address of the network. */
async function stage(context: TestContext) {
  const proxy = await tinyproxyOrReason();
  if ("missing" in proxy) return context.skip(proxy.missing);
  const certificate = await makeCertificate();
  if (!certificate) return context.skip("this machine has no network address, or no openssl");
  const http2 = await startHttp2Proxy(inject("kinesisUrl"));
  context.onTestFinished(() => http2.stop());
  const behind = { http1: inject("kinesisUrl"), http2: http2.url };
  const kinesis = await startTlsFront(certificate, behind);
  const dynamo = await startTlsFront(certificate, { http1: inject("dynamoUrl") });
  return { proxy, certificate, kinesis, dynamo };
}

it("reads by polling and by fan-out, and stores its leases, through a proxy with a password", async (context) => {
  const { proxy, certificate, kinesis, dynamo } = await stage(context);
  for (const retrievalMode of ["POLLING", "FANOUT"]) {
    const stream = await createStream("proxied", 2);
    const journal = await Journal.create();
    const words = Array.from({ length: 30 }, (_, index) => `${retrievalMode}-${index}`);
    await put(stream, words);
    const daemon = await startDaemon({
      properties: {
        executableName: journal.command(),
        applicationName: stream,
        streamName: stream,
        kinesisEndpoint: kinesis.url,
        dynamoDBEndpoint: dynamo.url,
        retrievalMode,
      },
      env: { ...journal.env, HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: certificate.file },
    });
    await until("all words", async () => (await journal.words()).length >= words.length);
    expect((await journal.words()).toSorted()).toEqual(words.toSorted());
    expect(await daemon.stop()).toBe(0);
    expect(JSON.stringify(daemon.events)).not.toContain("hunter2");
  }
  const { host: kinesisHost } = new URL(kinesis.url);
  const { host: dynamoHost } = new URL(dynamo.url);
  const requests = await proxy.requests();
  const through = (host: string) => requests.filter((each) => each === `CONNECT ${host}`);
  // No connection has gone past the proxy.
  expect(through(kinesisHost)).toHaveLength(kinesis.protocols.length);
  expect(through(dynamoHost)).toHaveLength(dynamo.protocols.length);
  expect(new Set(kinesis.protocols)).toEqual(new Set(["http/1.1", "h2"]));
});

it("names the proxy, its answer and the remedy when the password is wrong", async (context) => {
  const { proxy, certificate, kinesis, dynamo } = await stage(context);
  const stream = await createStream("refused", 1);
  const daemon = await startDaemon({
    properties: {
      executableName: "cat",
      applicationName: stream,
      streamName: stream,
      kinesisEndpoint: kinesis.url,
      dynamoDBEndpoint: dynamo.url,
    },
    env: {
      HTTPS_PROXY: wrongPassword(proxy),
      NODE_EXTRA_CA_CERTS: certificate.file,
    },
  });
  const told = await daemon.waitFor(({ message }) => message.includes("HTTPS_PROXY"));
  expect(told.message).toContain(`http://127.0.0.1:${proxy.port} (HTTPS_PROXY) answered 40`);
  expect(told.message).toContain("USER:PASSWORD@");
  expect(JSON.stringify(daemon.events)).not.toContain("swordfish");
});

function wrongPassword({ url }: Tinyproxy): string {
  return url.replace("hunter2", "swordfish");
}

it("goes past the proxy to hosts in NO_PROXY", async (context) => {
  const { proxy, certificate, kinesis, dynamo } = await stage(context);
  const stream = await createStream("unproxied", 1);
  const journal = await Journal.create();
  await put(stream, ["cat", "dog"]);
  const daemon = await startDaemon({
    properties: {
      executableName: journal.command(),
      applicationName: stream,
      streamName: stream,
      kinesisEndpoint: kinesis.url,
      dynamoDBEndpoint: dynamo.url,
      metricsLevel: "NONE",
    },
    env: {
      ...journal.env,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: `example.com, ${certificate.host}`,
      NODE_EXTRA_CA_CERTS: certificate.file,
    },
  });
  await until("all words", async () => (await journal.words()).length === 2);
  expect(await daemon.stop()).toBe(0);
  expect(await proxy.requests()).toEqual([]);
});
