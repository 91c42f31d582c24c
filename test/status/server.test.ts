// The endpoints of the status server, who may use them, and clients that mean ill.

import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../support/daemon.ts";
import { fillWithHistory, idOf, type Served, STARTED, serve } from "./served.ts";

const TOKEN = "0123456789abcdef-secret";
const FAILING = { service: "dynamodb", operation: "Scan", scope: "Scan", lasting: false } as const;

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** As `fetch`, but with any header, and over any address. */
async function ask({ address }: Served, path: string, sent: Sent = {}) {
  const { method = "GET", headers = {}, body } = sent;
  const place =
    address.type === "unix"
      ? { socketPath: address.path }
      : { host: "127.0.0.1", port: address.port };
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const asked = request({
    ...place,
    path,
    method,
    headers: { ...length, ...headers },
    agent: false,
  });
  asked.end(body);
  const [response] = await once(asked, "response");
  let text = "";
  for await (const piece of response) text += String(piece);
  return { status: response.statusCode as number, text, headers: response.headers };
}

const bearer = { authorization: `Bearer ${TOKEN}` };

describe("the endpoints", () => {
  it("report health with the reason", async () => {
    const served = await serve();
    served.saw(STARTED);
    expect(await ask(served, "/livez")).toMatchObject({ status: 200 });
    const waiting = await ask(served, "/readyz");
    expect(waiting.status).toBe(503);
    expect(JSON.parse(waiting.text)).toEqual({
      ready: false,
      phase: "starting",
      reasons: ["The daemon is starting: it has not looked at the leases yet."],
    });
    fillWithHistory(served, 4);
    expect(JSON.parse((await ask(served, "/readyz")).text)).toEqual({
      ready: true,
      phase: "working",
    });
    const failure = { error: new Error("refused"), attempt: 2, retryInMs: 1 };
    served.saw({ type: "serviceTrouble", ...FAILING, ...failure });
    expect((await ask(served, "/readyz")).text).toContain("dynamodb Scan failed");
  });

  it("show all shards, and one of them with what its child wrote last", async () => {
    const served = await serve();
    fillWithHistory(served, 4);
    const all = JSON.parse((await ask(served, "/shards")).text);
    expect(all.shards).toHaveLength(4);
    expect(all.totals).toMatchObject({ shardsHeld: 2, deadLetters: 2, restarts: 1 });
    const one = JSON.parse((await ask(served, `/shards/${idOf(3)}`)).text);
    expect(one.stderr).toContain("ValueError: cat");
    expect(one.history.records).toHaveLength(90);
    expect(await ask(served, "/shards/none")).toMatchObject({ status: 404 });
    expect(await ask(served, "/nothing")).toMatchObject({ status: 404 });
  });

  it("send what changes to whoever follows the events", async () => {
    const served = await serve();
    fillWithHistory(served, 4);
    const following = request({ host: "127.0.0.1", port: served.port, path: "/events" });
    following.end();
    const [response] = await once(following, "response");
    onTestFinished(() => void following.destroy());
    let text = "";
    response.on("data", (piece: Buffer) => {
      text += String(piece);
    });
    await expect.poll(() => text, { timeout: 30_000 }).toContain("event: whole");
    served.saw({ type: "leaseReleased", shardId: idOf(1) });
    await expect.poll(() => text, { timeout: 30_000 }).toContain('"shardsHeld":1');
    expect(text).toContain("event: change");
  });
});

describe("changes", () => {
  const changes = [
    ["/drain", "drain", undefined],
    ["/resume", "resume", undefined],
    ["/log-level", "log level debug", '{"level":"debug"}'],
    ["/log-level", "log level trace of leases", '{"level":"trace","component":"leases"}'],
    [`/shards/${idOf(1)}/restart-child`, `restart ${idOf(1)}`, undefined],
  ] as const;

  it.each(changes)("%s is made over a Unix socket", async (path, asked, body) => {
    const socket = join(await temporaryFolder(), "status.sock");
    const served = await serve({ address: { type: "unix", path: socket } });
    fillWithHistory(served, 4);
    const sent = { method: "POST", ...(body !== undefined && { body }) };
    expect(await ask(served, path, sent)).toMatchObject({ status: 204 });
    expect(served.asked).toEqual([asked]);
  });

  it.each(changes)("%s needs the token over TCP", async (path, asked, body) => {
    const served = await serve({ token: TOKEN });
    fillWithHistory(served, 4);
    const sent = { method: "POST", ...(body !== undefined && { body }) };
    expect(await ask(served, path, sent)).toMatchObject({ status: 401 });
    const wrong = { authorization: `Bearer ${TOKEN}x` };
    expect(await ask(served, path, { ...sent, headers: wrong })).toMatchObject({ status: 401 });
    expect(await ask(served, path, { headers: bearer })).toMatchObject({ status: 405 });
    const foreign = { ...bearer, origin: "http://evil.example" };
    expect(await ask(served, path, { ...sent, headers: foreign })).toMatchObject({ status: 403 });
    expect(served.asked).toEqual([]);
    expect(await ask(served, path, { ...sent, headers: bearer })).toMatchObject({ status: 204 });
    expect(served.asked).toEqual([asked]);
  });

  it("are never open over TCP without a token", async () => {
    const served = await serve({ allowRemote: true });
    const refused = await ask(served, "/drain", { method: "POST", headers: bearer });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain("httpToken");
    expect(served.asked).toEqual([]);
  });

  it("say what is wrong with them", async () => {
    const served = await serve({ token: TOKEN });
    const headers = bearer;
    const level = { method: "POST", headers, body: '{"level":"loud"}' };
    expect((await ask(served, "/log-level", level)).text).toContain("trace, debug, info");
    const restart = await ask(served, "/shards/none/restart-child", { method: "POST", headers });
    expect(restart.status).toBe(404);
  });
});

describe("reading", () => {
  it("is refused under a name that is not this machine's", async () => {
    const served = await serve();
    const foreign = await ask(served, "/shards", { headers: { host: "evil.example" } });
    expect(foreign.status).toBe(421);
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:8080"]) {
      expect(await ask(served, "/shards", { headers: { host } })).toMatchObject({ status: 200 });
    }
  });

  it("needs the token on an address that others reach, and probes do not", async () => {
    const address = { type: "tcp", host: "0.0.0.0", port: 0 } as const;
    const served = await serve({ address, token: TOKEN });
    expect(await ask(served, "/shards")).toMatchObject({ status: 401 });
    expect(await ask(served, "/livez")).toMatchObject({ status: 200 });
    expect(await ask(served, "/shards", { headers: bearer })).toMatchObject({ status: 200 });
    const basic = `Basic ${Buffer.from(`any:${TOKEN}`).toString("base64")}`;
    const browser = { headers: { authorization: basic } };
    expect(await ask(served, "/", browser)).toMatchObject({ status: 200 });
    const open = await serve({ address, allowRemote: true });
    expect(await ask(open, "/shards")).toMatchObject({ status: 200 });
  });

  it("comes with a strict policy for the page", async () => {
    const { headers } = await ask(await serve(), "/");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers["x-frame-options"]).toBe("DENY");
  });
});

describe("a hostile client", () => {
  function open(served: Served): Socket {
    const socket = connect(served.port, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  }

  it("that sends headers of 1 MB is refused", async () => {
    const served = await serve();
    const socket = open(served);
    socket.write(`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(2 ** 20)}\r\n\r\n`);
    let text = "";
    socket.on("data", (piece) => {
      text += String(piece);
    });
    await once(socket, "close");
    // Its answer may be lost when it has not read it before the connection is reset.
    expect(text === "" || text.startsWith("HTTP/1.1 431")).toBe(true);
    expect(await ask(served, "/livez")).toMatchObject({ status: 200 });
  });

  it("that sends a large body, or one without a length, is refused", async () => {
    const served = await serve({ token: TOKEN });
    const post = { method: "POST", headers: bearer };
    const large = await ask(served, "/log-level", { ...post, body: "x".repeat(5_000) });
    expect(large.status).toBe(413);
    const headers = { ...bearer, "transfer-encoding": "chunked" };
    expect(await ask(served, "/drain", { ...post, headers })).toMatchObject({ status: 413 });
    expect(served.asked).toEqual([]);
  });

  it("that opens a thousand silent connections keeps nobody out", async () => {
    const served = await serve();
    const sockets = Array.from({ length: 1_000 }, () => open(served));
    await Promise.all(
      sockets.map((socket) => Promise.race([once(socket, "connect"), once(socket, "close")])),
    );
    expect(await ask(served, "/livez")).toMatchObject({ status: 200 });
    const closed = () => sockets.filter((socket) => socket.closed).length;
    for (const socket of sockets) socket.resume();
    await expect.poll(closed, { timeout: 30_000 }).toBeGreaterThanOrEqual(1_000 - 64);
  });

  it("that sends its headers byte by byte is disconnected", async () => {
    const served = await serve();
    const socket = open(served);
    const closed = once(socket, "close");
    socket.resume();
    socket.write("GET / HTTP/1.1\r\n");
    const drip = setInterval(() => socket.write("x"), 500);
    onTestFinished(() => clearInterval(drip));
    await closed;
    expect(await ask(served, "/livez")).toMatchObject({ status: 200 });
  });
});
