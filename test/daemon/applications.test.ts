// Several applications in one daemon: each with leases and children of its own, and a failure of
// one that ends no other.

import { expect, inject, test } from "vitest";
import { propertiesFile, runDaemon } from "../support/daemon.ts";
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
  const one = await application("one", { executableName, workerId: "first" });
  const two = await application("two", { executableName, workerId: "second" });
  const bad = await application("bad", { executableName: "/nowhere/at/all" });
  const files = [one, two, bad].flatMap(({ file }) => ["-p", file]);
  const daemon = await runDaemon([...files, "--log-level", "trace"], { env: journal.env });

  const failure = await daemon.waitFor("applicationFailed", 100_000);
  expect(failure).toMatchObject({ application: bad.stream, level: "error" });
  expect(failure.message).toContain("/nowhere/at/all");
  expect(failure.message).toContain("The other applications continue");

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
