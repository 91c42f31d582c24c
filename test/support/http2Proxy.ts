// HTTP/2 in front, without TLS, and HTTP/1.1 behind: it stands before an emulator whose own HTTP/2 does not get along with
// the SDK's, and ends subscriptions as a test asks.

import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

export interface Http2Proxy {
  readonly url: string;
  /** Bodies of the SubscribeToShard calls that came through, in their order. */
  readonly subscriptions: readonly Readonly<Record<string, unknown>>[];
  /** Breaks all connections. */
  cut(): void;
  /** Adds to all answers under way: what the emulator does not say by itself. */
  say(bytes: Buffer): void;
  /** Bytes of answers that the client has not let come. */
  waiting(): number;
  /** Ends all answers under way in order, as the service does after five minutes. */
  finish(): void;
  stop(): Promise<void>;
}

/** @param target the emulator's URL. */
export async function startHttp2Proxy(target: string): Promise<Http2Proxy> {
  const { hostname, port } = new URL(target);
  const sessions = new Set<ServerHttp2Session>();
  const answers = new Map<ServerHttp2Stream, IncomingMessage>();
  const subscriptions: Record<string, unknown>[] = [];

  const serve = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const body = await collect(stream);
    if (String(headers["x-amz-target"]).endsWith(".SubscribeToShard")) {
      subscriptions.push(JSON.parse(body.toString()) as Record<string, unknown>);
    }
    const plain = Object.entries(headers).filter(([name]) => !name.startsWith(":"));
    const outgoing = request({
      hostname,
      port,
      method: "POST",
      path: "/",
      headers: Object.fromEntries(plain),
    });
    outgoing.on("error", () => stream.close());
    outgoing.end(body);
    const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
    answers.set(stream, answer);
    stream.once("close", () => {
      answers.delete(stream);
      answer.destroy();
    });
    answer.on("error", () => stream.close());
    const { connection: _, "transfer-encoding": __, ...rest } = answer.headers;
    stream.respond({ ":status": answer.statusCode ?? 502, ...rest });
    answer.pipe(stream);
  };

  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {});
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    serve(stream, headers).catch(() => stream.close());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has such an address.
  const address = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${address.port}`,
    subscriptions,
    cut() {
      for (const session of sessions) session.destroy();
    },
    say(bytes) {
      for (const stream of answers.keys()) stream.write(bytes);
    },
    waiting() {
      return [...answers.keys()].reduce((sum, stream) => sum + stream.writableLength, 0);
    },
    finish() {
      for (const [stream, answer] of answers) {
        answer.unpipe(stream);
        stream.end();
      }
    },
    async stop() {
      server.close();
      for (const session of sessions) session.destroy();
      await once(server, "close");
    },
  };
}

async function collect(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
