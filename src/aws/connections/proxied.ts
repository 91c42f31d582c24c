// Proxies for connections that are not ours: the SDK's own handlers, over HTTP/1.1 and HTTP/2.

import { Agent, type AgentOptions } from "node:https";
import { connect, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Environment, type Origin, proxyFor, withoutBrackets } from "./proxy.ts";
import { Tunnel } from "./tunnel.ts";

/**
 * TLS through a tunnel. The tunnel's failure is the connection's.
 *
 * @param options for TLS, with the service's host.
 */
export function connectThrough(tunnel: Tunnel, options: ConnectionOptions): TLSSocket {
  const { host = "" } = options;
  const names = isIP(host) === 0 ? { servername: host } : {};
  const socket = connectTls({ ...names, ...options, socket: tunnel });
  tunnel.on("error", (error) => socket.destroy(error));
  return socket;
}

/** The `createConnection` of an HTTP/2 session, with or without a proxy. */
export function connectHttp2(authority: URL, environment: Environment = process.env): Duplex {
  const tls = authority.protocol === "https:";
  const origin: Origin = {
    tls,
    host: withoutBrackets(authority.hostname),
    port: Number(authority.port || (tls ? 443 : 80)),
  };
  const { host, port } = origin;
  if (!tls) return connect({ host, port, noDelay: true });
  const proxy = proxyFor(origin, environment);
  const options = { host, port, ALPNProtocols: ["h2"] };
  if (proxy) return connectThrough(new Tunnel(proxy, origin), options);
  return connectTls({ ...options, ...(isIP(host) === 0 && { servername: host }) });
}

/** The agent of an SDK client that makes HTTPS calls with the SDK's handler. */
export class ProxyAgent extends Agent {
  override createConnection(
    options: AgentOptions & ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host = "", port = 443 } = options;
    const origin = { tls: true, host: withoutBrackets(host), port };
    const proxy = proxyFor(origin, process.env);
    if (!proxy) return super.createConnection(options, callback);
    return connectThrough(new Tunnel(proxy, origin), { ...options, host: origin.host });
  }
}
