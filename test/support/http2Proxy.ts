// A proxy with HTTP/2 without TLS in front and HTTP/1.1 behind. It replaces an emulator's own
// HTTP/2, which does not work with the SDK's, and ends subscriptions when a test requests it.

import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

export interface Http2Proxy {
  readonly url: string;
  /** The bodies of the SubscribeToShard calls, in order of arrival. */
  readonly subscriptions: readonly Readonly<Record<string, unknown>>[];
  /** Breaks all connections. */
  cut(): void;
  /** Adds bytes to all open responses that the emulator does not send itself. */
  say(bytes: Buffer): void;
  /** The number of response bytes that the client has not accepted yet. */
  waiting(): number;
  /** Ends all open responses in order, as the service does after five minutes. */
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
  // A server that listens on TCP has an address of this type.
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
