// A running daemon over HTTP: it can be watched and changed, and records go on being processed
// while clients mean ill.

import { connect } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { expect, it, onTestFinished } from "vitest";
import { parseHttpAddress } from "../../src/model/httpAddress.ts";
import { askStatus } from "../../src/status/client.ts";
import { MAIN, temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { SHARDS, startMischief } from "../support/mischief.ts";

const words = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `word-${from + index}`);

/** The daemon, served at an address; `post` makes a change. */
async function startServed(httpListen: string, shards: number) {
  const stream = await createStream("served", shards);
  const journal = await Journal.create();
  const daemon = await startMischief({ stream, journal, properties: { httpListen } });
  const { address } = await daemon.waitFor("statusServed");
  const place = parseHttpAddress(String(address));
  if (!place) throw new Error(`no address: ${address}`);
  const get = async (path: string) => {
    const { status, body } = await askStatus(place, path, { timeoutMs: 20_000 });
    return { status, ...JSON.parse(body) };
  };
  return { stream, journal, daemon, get, address: String(address) };
}

it("can be watched and changed over a Unix socket", async () => {
  const socket = join(await temporaryFolder(), "status.sock");
  const { stream, journal, daemon, get } = await startServed(`unix:${socket}`, 1);
  await daemon.waitFor("shardStarted");
  await until("readiness", async () => (await get("/readyz")).ready);
  await put(stream, words(5));
  const [shardId] = SHARDS;
  await until("the first words", async () => (await get(`/shards/${shardId}`)).records === 5);
  const before = await get(`/shards/${shardId}`);
  expect(before).toMatchObject({ held: true, state: "processing", records: 5, restarts: 0 });

  const post = (path: string, body = "") =>
    execa("curl", ["-sf", "--unix-socket", socket, "-X", "POST", "-d", body, `http://d${path}`]);
  await post(`/shards/${shardId}/restart-child`);
  await daemon.waitFor(({ event, pid }) => event === "childStarted" && pid !== before.pid);
  await put(stream, words(5, 5));
  await until("all words", async () => (await journal.words()).length >= 10);
  expect(daemon.events.filter(({ event }) => event === "childFailed")).toEqual([]);
  expect((await get(`/shards/${shardId}`)).pid).not.toBe(before.pid);

  await post("/log-level", '{"level":"warn"}');
  await daemon.waitFor("logLevelChanged").catch(() => undefined);
  await post("/log-level", '{"level":"debug"}');
  await post("/drain");
  await daemon.waitFor("drained");
  const address = `unix:${socket}`;
  const check = await execa(process.execPath, [MAIN, "healthcheck", address], { reject: false });
  expect(check.exitCode).toBe(1);
  expect(check.stdout).toContain("drained");
  await post("/resume");
  await until("readiness", async () => (await get("/readyz")).ready);
  const top = await execa(process.execPath, [MAIN, "top", "--once", "--http", address]);
  expect(top.stdout).toMatch(new RegExp(`^${shardId} +processing`, "m"));
  expect(await daemon.stop()).toBe(0);
});

it("goes on processing while clients mean ill", async () => {
  const { stream, journal, daemon, get, address } = await startServed("127.0.0.1:0", 1);
  const port = Number(address.split(":").at(-1));
  await daemon.waitFor("shardStarted");
  const sockets = Array.from({ length: 1_000 }, (_, n) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    if (n % 2 === 0) socket.write(`GET / HTTP/1.1\r\nx: ${"a".repeat(n % 10 === 0 ? 2 ** 20 : 9)}`);
    return socket;
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await put(stream, words(50));
  await until("all words", async () => (await journal.words()).length === 50);
  expect(await get("/livez")).toMatchObject({ status: 200 });
  expect(daemon.events.filter(({ event }) => event === "childFailed")).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});
