// The whole program: `connect` with the file as its target.

import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { propertiesFile, runDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";

async function connect(stream: string, properties: Readonly<Record<string, string | number>>) {
  const file = await propertiesFile({
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: inject("dynamoUrl"),
    regionName: "us-east-1",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 200,
    applicationName: stream,
    kinesisInputStream: stream,
    bufferMillisecondsLimit: 100,
    ...properties,
  });
  return runDaemon(["connect", "-p", file, "--log-level", "trace"]);
}

const textOf = (path: string) => readFile(path, "utf8").catch(() => "");

async function linesOf(path: string, count: number): Promise<readonly string[]> {
  const lines = async () => (await textOf(path)).split("\n").slice(0, -1);
  await until(`${count} lines in ${path}`, async () => (await lines()).length >= count, LIMIT_MS);
  return (await lines()).toSorted();
}

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ number: 100 + index }));

/** A busy machine takes long to start a daemon and its children. */
const LIMIT_MS = 120_000;

describe("connect --to file", { timeout: 300_000 }, () => {
  it("appends every record of every shard, and checkpoints behind it", async () => {
    const path = join(await temporaryFolder(), "out.ndjson");
    const stream = await createStream("connect", 2);
    const objects = numbered(50);
    await put(stream, objects);
    const daemon = await connect(stream, { connectorDestination: "file", path });
    expect(await linesOf(path, 50)).toEqual(objects);
    expect(await daemon.stop()).toBe(0);
    for (const lease of (await leaseItems(stream)).values()) {
      expect(lease["checkpoint"]).toMatch(/^\d+$/);
    }
    expect(daemon.otherLines).toEqual([]);
  });

  it("sends what it cannot transform to the dead letters, and goes on", async () => {
    const folder = await temporaryFolder();
    const [path, dead] = [join(folder, "out.ndjson"), join(folder, "dead.ndjson")];
    const stream = await createStream("refused", 1);
    await put(stream, ["no json", '{"n":1}']);
    const daemon = await connect(stream, {
      connectorDestination: "file",
      path,
      onFailureDestination: `file:${dead}`,
    });
    expect(await linesOf(path, 1)).toEqual(['{"n":1}']);
    expect(await daemon.stop()).toBe(0);
    expect(JSON.parse(await textOf(dead))).toMatchObject({
      version: 1,
      applicationName: stream,
      streamName: stream,
      condition: "refused",
      cause: { reason: expect.stringContaining("not valid JSON") },
      data: Buffer.from("no json").toString("base64"),
    });
  });

  it("moves the position when the filter drops everything", async () => {
    const path = join(await temporaryFolder(), "out.ndjson");
    const stream = await createStream("dropped", 1);
    await put(stream, numbered(10));
    const properties = { connectorDestination: "file", path, filter: "object.number < 0" };
    const daemon = await connect(stream, properties);
    await daemon.waitFor("shardStarted", LIMIT_MS);
    const isMoved = async () =>
      [...(await leaseItems(stream)).values()].every((lease) =>
        /^\d+$/.test(String(lease["checkpoint"])),
      );
    await until("the checkpoint moves", isMoved, LIMIT_MS);
    expect(await daemon.stop()).toBe(0);
    expect(await textOf(path)).toBe("");
  });

  it("waits for a target that is away, and says so", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "out.ndjson");
    const stream = await createStream("away", 1);
    const daemon = await connect(stream, { connectorDestination: "file", path });
    await daemon.waitFor("shardStarted", LIMIT_MS);
    await rm(path, { force: true });
    await mkdir(path);
    await put(stream, ['{"n":1}']);
    const waits = ({ message = "" }) => /needs attention.*Nothing is lost/.test(message);
    await daemon.waitFor(waits, LIMIT_MS);
    // It gives the target 7 s, and `stop` would kill it before.
    process.kill(daemon.pid, "SIGTERM");
    expect(await daemon.ended).toBe(0);
    await rm(path, { recursive: true });
    const again = await connect(stream, { connectorDestination: "file", path });
    expect(await linesOf(path, 1)).toEqual(['{"n":1}']);
    expect(await again.stop()).toBe(0);
  });

  it("shows with --dry-run what it would write, and writes nothing", async () => {
    const path = join(await temporaryFolder(), "out.ndjson");
    const stream = await createStream("dry", 1);
    await put(stream, ["{}"]);
    const daemon = await runDaemon(
      ["connect", "--to", "file", "--path", path, "--stream", stream, "--dry-run"].concat([
        "--set",
        `kinesisEndpoint=${inject("kinesisUrl")}`,
        "--set",
        "regionName=us-east-1",
      ]),
    );
    expect(await daemon.ended).toBe(0);
    expect(await textOf(path)).toBe("");
    expect((await leaseItems(stream).catch(() => new Map())).size).toBe(0);
  });

  it("names what is wrong with the settings before it starts", async () => {
    const daemon = await runDaemon(["connect", "--to", "file", "--stream", "x", "--set", "path="]);
    expect(await daemon.ended).toBe(1);
    expect(daemon.otherLines.join("\n")).toContain("needs path");
    const away = await runDaemon(["connect", "--to", "file", "--stream", "x", "--path", "/none/x"]);
    expect(await away.ended).toBe(1);
    expect(away.otherLines.join("\n")).toContain("The file /none/x cannot be written");
  });
});
