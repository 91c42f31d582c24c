// `pipe`: a stream on STDOUT, on a socket and as POST requests.

import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { MAIN, propertiesFile, runDaemon, temporaryFolder } from "../support/daemon.ts";
import { createStream, leaseItems, put, until } from "../support/emulators.ts";

async function fileFor(stream: string) {
  return propertiesFile({
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: inject("dynamoUrl"),
    regionName: "us-east-1",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 200,
    applicationName: stream,
    streamName: stream,
  });
}

const KEYS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };
const words = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `word-${100 + from + index}`);

function start(file: string, ...args: readonly string[]) {
  const child = execa(process.execPath, [MAIN, "pipe", "-p", file, ...args], {
    env: KEYS,
    reject: false,
    stdin: "ignore",
    buffer: false,
  });
  child.stderr.resume();
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

const isNumbered = (checkpoint: unknown) => /^\d+$/.test(String(checkpoint));

async function untilStored(stream: string, shards: number): Promise<void> {
  await until(
    "every position is stored",
    async () => {
      const leases = [...(await leaseItems(stream)).values()];
      return leases.length === shards && leases.every((lease) => isNumbered(lease["checkpoint"]));
    },
    LIMIT_MS,
  );
}

/** A busy machine takes long to start a daemon and its children. */
const LIMIT_MS = 120_000;

describe("pipe", { timeout: 300_000 }, () => {
  it("writes the records of all shards to STDOUT, whole lines each", async () => {
    const stream = await createStream("pipe", 2);
    await put(stream, words(60));
    const child = start(await fileFor(stream));
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    await until("60 lines", async () => text.split("\n").length > 60, LIMIT_MS);
    await untilStored(stream, 2);
    child.kill("SIGTERM");
    expect((await child).exitCode).toBe(0);
    expect(text.trimEnd().split("\n").toSorted()).toEqual(words(60));
  });

  it("stores no position for what the reader did not take", async () => {
    const stream = await createStream("unread", 1);
    // More than a pipe holds.
    const large = Array.from({ length: 30 }, (_, index) => `${100 + index}${"x".repeat(40_000)}`);
    await put(stream, large);
    const child = start(await fileFor(stream), "--set", "bufferByteSizeLimit=2000000");
    child.stdout.once("readable", () => {});
    await until(
      "the lease",
      async () => (await leaseItems(stream).catch(() => new Map())).size > 0,
    );
    child.stdout.destroy();
    await child;
    for (const lease of (await leaseItems(stream)).values()) {
      expect(lease["checkpoint"]).toBe("TRIM_HORIZON");
    }
  });

  it("writes to a reader on a Unix socket, and waits until there is one", async () => {
    const path = join(await temporaryFolder(), "reader.sock");
    const stream = await createStream("socket", 1);
    await put(stream, words(10));
    const args = ["pipe", "-p", await fileFor(stream), "--to", `unix:${path}`];
    const daemon = await runDaemon(args);
    await daemon.waitFor(({ message }) => message.includes("Nothing is lost"), LIMIT_MS);
    let text = "";
    const server = createServer((socket) => {
      socket.on("data", (chunk) => {
        text += String(chunk);
      });
    }).listen(path);
    onTestFinished(() => void server.close());
    await until("ten lines", async () => text.split("\n").length > 10, LIMIT_MS);
    expect(text.trimEnd().split("\n").toSorted()).toEqual(words(10));
    expect(await daemon.stop()).toBe(0);
  });

  it("posts to a URL: repeats what failed, and buries the record that is refused", async () => {
    const stream = await createStream("http", 1);
    const dead = join(await temporaryFolder(), "dead.ndjson");
    const stored: string[] = [];
    const keys: unknown[] = [];
    let failures = 1;
    const server = createHttp(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      keys.push(request.headers["idempotency-key"]);
      if (failures > 0) {
        failures -= 1;
        response.writeHead(503, { "retry-after": "0" }).end("busy");
      } else if (body.includes("poison")) response.writeHead(400).end("I do not like it");
      else {
        stored.push(...body.trimEnd().split("\n"));
        response.writeHead(204).end();
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    await put(stream, [...words(5), "poison", ...words(5, 5)]);
    const { port } = server.address() as AddressInfo;
    const args = [
      "--to",
      `http://127.0.0.1:${port}/in`,
      "--set",
      `onFailureDestination=file:${dead}`,
    ];
    const daemon = await runDaemon(["pipe", "-p", await fileFor(stream), ...args]);
    await until("ten lines", async () => stored.length >= 10, LIMIT_MS);
    await untilStored(stream, 1);
    expect(stored.toSorted()).toEqual(words(10));
    expect(keys[0]).toBe(keys[1]);
    const { message } = await daemon.waitFor(({ message: text }) => text.includes("dead letter"));
    expect(message).toContain("400: I do not like it");
    expect(await daemon.stop()).toBe(0);
  });
});
