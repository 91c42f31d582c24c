// Calls over kept connections to a real server.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  KeptConnections,
  type KeptConnectionsOptions,
} from "../../src/aws/connections/keptConnections.ts";

const OPTIONS: KeptConnectionsOptions = {
  maxConnections: 4,
  connectTimeoutMs: 5_000,
  maxBodyBytes: 50_000_000,
  allocate: Buffer.allocUnsafe,
};

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

let answering: Answering;
let server: Server;
const sockets = new Set<Socket>();
const made: KeptConnections[] = [];

beforeEach(async () => {
  answering = (_, response) => response.end("{}");
  server = createServer((request, response) => answering(request, response));
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  for (const each of made.splice(0)) each.destroy();
  sockets.clear();
  server.closeAllConnections();
  server.close();
});

function connections(options: Partial<KeptConnectionsOptions> = {}): KeptConnections {
  const each = new KeptConnections({ ...OPTIONS, ...options });
  made.push(each);
  return each;
}

const portOf = (of: { address(): unknown }) => (of.address() as AddressInfo).port;

async function call(
  kept: KeptConnections,
  { body = "", abortSignal, port = portOf(server) }: CallOptions = {},
) {
  const request = {
    protocol: "http:",
    hostname: "127.0.0.1",
    port,
    method: "POST",
    path: "/",
    headers: { host: "here", "content-length": String(Buffer.byteLength(body)) },
    body,
  };
  const { response } = await kept.handle(request, { abortSignal });
  return { ...response, text: Buffer.from(response.body).toString() };
}

interface CallOptions {
  readonly body?: string | Uint8Array;
  readonly abortSignal?: AbortSignal;
  readonly port?: number;
}

const asked = (request: IncomingMessage) =>
  new Promise<Buffer>((resolve) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => resolve(Buffer.concat(chunks)));
  });

const echo: Answering = async (request, response) => {
  response.setHeader("x-path", request.url ?? "");
  response.end(await asked(request));
};

test("sends a body of text or of bytes, and returns the response", async () => {
  answering = echo;
  const kept = connections();
  const answer = await call(kept, { body: "größer" });
  expect(answer).toMatchObject({ statusCode: 200, text: "größer", headers: { "x-path": "/" } });
  const bytes = new Uint8Array([0, 255, 13, 10]);
  expect((await call(kept, { body: bytes })).body).toEqual(Buffer.from(bytes));
});

test("shares a connection between successive calls, and gives each concurrent call its own", async () => {
  answering = echo;
  const kept = connections();
  for (let i = 0; i < 3; i += 1) await call(kept);
  expect(sockets.size).toBe(1);
  await Promise.all(["a", "b", "c"].map((body) => call(kept, { body })));
  expect(sockets.size).toBe(3);
});

test("receives large responses concurrently, with a length or in chunks", async () => {
  const [first, second] = [Buffer.alloc(20_000_000, "ab"), Buffer.alloc(5_000_000, "xyz")];
  answering = async (request, response) => {
    const text = String(await asked(request));
    if (text === "chunked") response.write(second.subarray(0, 1_000));
    response.end(text === "chunked" ? second.subarray(1_000) : first);
  };
  const kept = connections();
  for (let round = 0; round < 3; round += 1) {
    const answers = await Promise.all(
      ["length", "chunked", "length"].map((body) => call(kept, { body })),
    );
    expect(answers.map(({ body }) => first.equals(body))).toEqual([true, false, true]);
    expect(second.equals(answers[1]?.body ?? Buffer.alloc(0))).toBe(true);
  }
  expect(sockets.size).toBe(3);
});

test("makes calls wait when all connections are in use", async () => {
  let running = 0;
  let most = 0;
  answering = (_, response) => {
    running += 1;
    most = Math.max(most, running);
    setTimeout(() => {
      running -= 1;
      response.end();
    }, 10);
  };
  const kept = connections({ maxConnections: 2 });
  await Promise.all(Array.from({ length: 9 }, () => call(kept)));
  expect(most).toBe(2);
  expect(sockets.size).toBe(2);
});

test("aborts a call that waits for a connection, and makes the others", async () => {
  const held: ServerResponse[] = [];
  answering = (_, response) => held.push(response);
  const kept = connections({ maxConnections: 1 });
  const first = call(kept);
  const stop = new AbortController();
  const second = call(kept, { abortSignal: stop.signal });
  const third = call(kept);
  stop.abort(new Error("enough"));
  await expect(second).rejects.toMatchObject({ name: "AbortError", cause: new Error("enough") });
  await expect.poll(() => held.length).toBe(1);
  answering = echo;
  held[0]?.end();
  expect((await first).statusCode).toBe(200);
  expect((await third).statusCode).toBe(200);
});

test("closes the connection of an aborted call, which makes room for another", async () => {
  const closed = new Promise<void>((resolve) => {
    answering = (request) => request.once("close", resolve);
  });
  const kept = connections({ maxConnections: 1 });
  const stop = new AbortController();
  const aborted = call(kept, { abortSignal: stop.signal });
  const next = call(kept);
  await expect.poll(() => sockets.size).toBe(1);
  stop.abort();
  await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
  await closed;
  // The server did not respond to the next call either. It responds to the one after that.
  await expect.poll(() => sockets.size).toBe(2);
  kept.destroy();
  await expect(next).rejects.toMatchObject({ code: "ECONNRESET" });
  answering = echo;
  expect((await call(kept)).statusCode).toBe(200);
});

test("does not make a call whose signal is already aborted", async () => {
  const abortSignal = AbortSignal.abort();
  await expect(call(connections(), { abortSignal })).rejects.toMatchObject({ name: "AbortError" });
  expect(sockets.size).toBe(0);
});

describe("when the service closes a connection,", () => {
  test("opens another one for the next call", async () => {
    const kept = connections();
    await call(kept);
    const [socket] = sockets;
    socket?.end();
    await once(socket ?? server, "close");
    await expect.poll(async () => (await call(kept)).statusCode).toBe(200);
    expect(sockets.size).toBe(2);
  });

  test("does not use it after the idle timeout that the service announced", async () => {
    server.keepAliveTimeout = 1_500;
    const kept = connections();
    // Node's server sends "timeout=1", which is no longer than our margin.
    await call(kept);
    await call(kept);
    expect(sockets.size).toBe(2);
  });

  test("fails the call in flight, and makes the next one", async () => {
    answering = (request) => request.socket.destroy();
    const kept = connections();
    await expect(call(kept)).rejects.toMatchObject({ code: "ECONNRESET" });
    answering = echo;
    expect((await call(kept)).statusCode).toBe(200);
  });

  test("fails the call whose response is incomplete", async () => {
    answering = (_, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("half", () => response.destroy());
    };
    await expect(call(connections())).rejects.toMatchObject({ code: "ECONNRESET" });
  });
});

test("reads a response without a length until the connection ends", async () => {
  const raw = createTcpServer((socket) => {
    socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nall of it"));
  });
  raw.listen(0, "127.0.0.1");
  await once(raw, "listening");
  try {
    const kept = connections();
    expect((await call(kept, { port: portOf(raw) })).text).toBe("all of it");
    expect((await call(kept, { port: portOf(raw) })).text).toBe("all of it");
  } finally {
    raw.close();
  }
});

test("fails with the system's code when nothing listens", async () => {
  const { port } = { port: portOf(server) };
  server.close();
  await once(server, "close");
  await expect(call(connections(), { port })).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("fails when the response is not HTTP", async () => {
  const raw = createTcpServer((socket) => socket.write("220 mail.example ESMTP\r\n\r\n"));
  raw.listen(0, "127.0.0.1");
  await once(raw, "listening");
  try {
    await expect(call(connections(), { port: portOf(raw) })).rejects.toThrow(
      'begins with "220 mail.example ESMTP", which is not HTTP/1.1',
    );
  } finally {
    raw.close();
  }
});

test("fails when the service does not respond in time", async () => {
  answering = () => {};
  const kept = connections({ requestTimeoutMs: 50 });
  await expect(call(kept)).rejects.toMatchObject({
    code: "ETIMEDOUT",
    message: "The service did not respond within 50 ms.",
  });
});

test("refuses a header that contains a line end", async () => {
  const request = {
    protocol: "http:",
    hostname: "127.0.0.1",
    port: portOf(server),
    method: "POST",
    path: "/",
    headers: { "x-a": "b\r\nx-evil: c" },
  };
  await expect(connections().handle(request)).rejects.toThrow("header x-a contains a line end");
});
