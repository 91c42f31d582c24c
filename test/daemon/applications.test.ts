// Several applications in one daemon: each with leases and children of its own, and a failure of
// one that ends no other.

import { join } from "node:path";
import { execa } from "execa";
import { expect, inject, test } from "vitest";
import { askStatus } from "../../src/status/client.ts";
import type { WholeView } from "../../src/status/view.ts";
import { propertiesFile, runDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, uniqueName, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

async function application(prefix: string, more: Readonly<Record<string, string>> = {}) {
  const stream = await createStream(prefix, 1);
  const file = await propertiesFile({
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: inject("dynamoUrl"),
    regionName: "us-east-1",
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 200,
    applicationName: stream,
    streamName: stream,
    ...more,
  });
  return { stream, file };
}

test("applications work side by side, and one that fails ends alone", {
  timeout: 180_000,
}, async () => {
  const journal = await Journal.create();
  const executableName = journal.command("batch");
  const socket = join(await temporaryFolder(), "status.sock");
  const one = await application("one", {
    executableName,
    workerId: "first",
    httpListen: `unix:${socket}`,
  });
  const two = await application("two", { executableName, workerId: "second" });
  const bad = await application("bad", { executableName: "/nowhere/at/all" });
  const files = [one, two, bad].flatMap(({ file }) => ["-p", file]);
  const daemon = await runDaemon([...files, "--log-level", "trace"], { env: journal.env });

  const failure = await daemon.waitFor("applicationFailed", 100_000);
  expect(failure).toMatchObject({ application: bad.stream, level: "error" });
  expect(failure.message).toContain("/nowhere/at/all");
  expect(failure.message).toContain("The other applications continue");

  const get = async (path: string) => {
    const { status, body } = await askStatus({ type: "unix", path: socket }, path, {
      timeoutMs: 20_000,
    });
    return { status, body };
  };
  await until("two applications that work", async () => {
    const { phase } = JSON.parse((await get(`/readyz?application=${one.stream}`)).body);
    return phase === "working" && (await get(`/readyz?application=${two.stream}`)).status === 200;
  });
  const ready = await get("/readyz");
  expect(ready.status).toBe(503);
  expect(JSON.parse(ready.body).reasons[0]).toMatch(
    new RegExp(`^${bad.stream}: .*/nowhere/at/all`),
  );
  expect(await get("/livez")).toMatchObject({ status: 200 });
  const { applications } = JSON.parse((await get("/shards")).body);
  expect(applications.map((each: WholeView) => each.application.applicationName)).toEqual([
    one.stream,
    two.stream,
    bad.stream,
  ]);
  expect(JSON.parse((await get(`/shards?application=${two.stream}`)).body).shards).toHaveLength(1);
  expect(await get("/shards/shardId-000000000000")).toMatchObject({ status: 409 });
  expect(await get("/shards?application=none")).toMatchObject({ status: 404 });
  const samples = (await get("/metrics")).body.split("\n");
  const held = samples.filter((line) => line.includes("leases_held"));
  expect(held.filter((line) => line.startsWith("# TYPE"))).toHaveLength(1);
  for (const { stream } of [one, two]) {
    expect(held).toContain(`kinesis_multilang_leases_held{application="${stream}"} 1`);
  }

  await put(one.stream, ["uno"]);
  await put(two.stream, ["dos"]);
  await until("both words", async () => (await journal.words()).length === 2);
  expect([...(await journal.words())].sort()).toEqual(["dos", "uno"]);
  expect([...(await leaseItems(one.stream)).values()].map((row) => row["leaseOwner"])).toEqual([
    "first",
  ]);
  expect([...(await leaseItems(two.stream)).values()].map((row) => row["leaseOwner"])).toEqual([
    "second",
  ]);
  const taken = daemon.events.filter(({ event }) => event === "leaseTaken");
  expect(taken.map((event) => event["application"]).sort()).toEqual([one.stream, two.stream]);

  await execa("curl", [
    ...["-sf", "--unix-socket", socket, "-X", "POST"],
    `http://d/drain?application=${two.stream}`,
  ]);
  expect((await daemon.waitFor("drained"))["application"]).toBe(two.stream);
  expect((await get(`/readyz?application=${one.stream}`)).status).toBe(200);

  expect(await daemon.stop()).toBe(1);
  expect(daemon.events.at(-1)).toMatchObject({ event: "daemonStopped", exitCode: 1 });
  expect(daemon.otherLines.join("\n")).toContain(`1 of 3 applications failed:\n${bad.stream}: `);
});

test("two files of one application are refused", { timeout: 180_000 }, async () => {
  const { file, stream } = await application("twice", { executableName: "cat" });
  const daemon = await runDaemon(["-p", file, "-p", file]);
  expect(await daemon.ended).toBe(1);
  expect(daemon.otherLines.join("\n")).toContain(
    `Two properties files have applicationName = ${stream}`,
  );
});

test("two applications with one lease table are refused", { timeout: 180_000 }, async () => {
  const tableName = uniqueName("shared");
  const one = await application("shared", { executableName: "cat", tableName });
  const two = await application("shared", { executableName: "cat", tableName });
  const daemon = await runDaemon(["-p", one.file, "-p", two.file]);
  expect(await daemon.ended).toBe(1);
  expect(daemon.otherLines.join("\n")).toContain(
    `Two properties files have the lease table ${tableName} (us-east-1, `,
  );
});

test("applications that read each other's dead letters are refused", {
  timeout: 180_000,
}, async () => {
  const one = await application("mutual", { executableName: "cat" });
  const two = await application("mutual", {
    executableName: "cat",
    onFailureDestination: `kinesis:${one.stream}`,
  });
  const three = await application("mutual", {
    executableName: "cat",
    streamName: one.stream,
    onFailureDestination: `kinesis:${two.stream}`,
  });
  const files = [one, two, three].flatMap(({ file }) => ["-p", file]);
  const daemon = await runDaemon(files);
  expect(await daemon.ended).toBe(1);
  expect(daemon.otherLines.join("\n")).toContain(
    `The dead letters of ${two.stream} and ${three.stream} would come back`,
  );
});
