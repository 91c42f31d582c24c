// The daemon on IPv6, and behind a proxy for endpoints without TLS.

import { networkInterfaces } from "node:os";
import { execa } from "execa";
import { expect, inject, it } from "vitest";
import { MAIN } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { startForwarder } from "../support/forwarder.ts";
import { Journal } from "../support/journal.ts";
import { startMischief } from "../support/mischief.ts";
import { tinyproxyOrReason } from "../support/tinyproxy.ts";

const WORDS = ["one", "two", "three"];

const arrived = (journal: Journal) =>
  until("all words", async () => (await journal.words()).length === WORDS.length, 50_000);

function addressOf(family: "IPv4" | "IPv6", internal: boolean): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return addresses.find((each) => each.internal === internal && each.family === family)?.address;
}

it("reaches its services, and serves its status, over IPv6", async (context) => {
  const host = addressOf("IPv6", true);
  if (host === undefined) return context.skip("this machine has no ::1");
  const [kinesis, dynamo] = [
    await startForwarder(host, inject("kinesisUrl")),
    await startForwarder(host, inject("dynamoUrl")),
  ];
  const stream = await createStream("ipv6", 1);
  const journal = await Journal.create();
  const properties = {
    kinesisEndpoint: kinesis.url,
    dynamoDBEndpoint: dynamo.url,
    httpListen: "[::1]:0",
  };
  const daemon = await startMischief({ stream, journal, properties });
  await put(stream, WORDS);
  await arrived(journal);
  expect(kinesis.connections()).toBeGreaterThan(0);
  expect(dynamo.connections()).toBeGreaterThan(0);
  const address = String((await daemon.waitFor("statusServed"))["address"]);
  expect(address).toMatch(/^\[::1\]:\d+$/);
  const check = await execa(process.execPath, [MAIN, "healthcheck", address], { reject: false });
  expect([check.exitCode, check.stdout]).toEqual([0, expect.stringContaining("ready")]);
  expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
  expect(await daemon.stop()).toBe(0);
});

it("reaches endpoints without TLS through HTTP_PROXY", async (context) => {
  const proxy = await tinyproxyOrReason();
  if ("missing" in proxy) return context.skip(proxy.missing);
  const host = addressOf("IPv4", false);
  if (host === undefined) return context.skip("this machine has no network address");
  const [kinesis, dynamo] = [
    await startForwarder(host, inject("kinesisUrl")),
    await startForwarder(host, inject("dynamoUrl")),
  ];
  const stream = await createStream("plain-proxied", 1);
  const journal = await Journal.create();
  const daemon = await startMischief({
    ...{ stream, journal },
    properties: { kinesisEndpoint: kinesis.url, dynamoDBEndpoint: dynamo.url },
    env: { HTTP_PROXY: proxy.url },
  });
  await put(stream, WORDS);
  await arrived(journal);
  expect(await daemon.stop()).toBe(0);
  expect(daemon.events.filter(({ event }) => event === "serviceTrouble")).toEqual([]);
  const requests = await proxy.requests();
  for (const { url, connections } of [kinesis, dynamo]) {
    const through = requests.filter((each) => each.startsWith(`POST ${url}/`));
    // No connection has gone past the proxy.
    expect(through).toHaveLength(connections());
    expect(through.length).toBeGreaterThan(0);
  }
});
