import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { proxyFor } from "../../src/aws/connections/proxy.ts";
import { loadProducer } from "../../src/config/producer/loadProducer.ts";
import { useProxy } from "../../src/config/producer/proxy.ts";
import { temporaryFolder } from "../support/daemon.ts";

async function proxyOf(text: string, environment: Record<string, string> = {}) {
  const file = join(await temporaryFolder(), "p.properties");
  await writeFile(file, text);
  const { values, warnings } = loadProducer({ file });
  expect(warnings).toEqual([]);
  useProxy(values, environment);
  return proxyFor({ tls: true, host: "kinesis.eu-west-1.amazonaws.com", port: 443 }, environment);
}

it("uses the KPL's keys for a proxy, before the environment's", async () => {
  const environment = { HTTPS_PROXY: "http://other:1", https_proxy: "http://other:2" };
  const keys =
    "ProxyHost = proxy\nProxyPort = 3128\nProxyUserName = me\nProxyPassword = p@ss:w/d\n";
  expect(await proxyOf(keys, environment)).toMatchObject({
    origin: { tls: false, host: "proxy", port: 3128 },
    authorization: `Basic ${Buffer.from("me:p@ss:w/d").toString("base64")}`,
  });
  expect(await proxyOf("ProxyHost = proxy\n")).toMatchObject({ origin: { port: 443 } });
  expect(await proxyOf("Region = eu-west-1\n")).toBeUndefined();
});
