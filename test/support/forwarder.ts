// A server at another address, in front of one of 127.0.0.1, without TLS.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, isIPv6, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Forwarder {
  readonly url: string;
  /** How many connections it has had. */
  readonly connections: () => number;
}

export async function startForwarder(host: string, to: string): Promise<Forwarder> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const { hostname, port } = new URL(to);
  const server = createServer((socket) => {
    connections += 1;
    const inner = connect(Number(port), hostname);
    for (const [one, other] of [
      [socket, inner],
      [inner, socket],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const own = (server.address() as AddressInfo).port;
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${own}`,
    connections: () => connections,
  };
}
