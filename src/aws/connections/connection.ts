// One connection to a service, with or without TLS. It carries one call at a time. Any error closes
// it, because bytes that arrive after an error cannot be assigned to a call.

import { connect, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ConnectionLost, InvalidHttpResponse } from "./errors.ts";
import { connectThrough } from "./proxied.ts";
import type { HttpProxy, Origin } from "./proxy.ts";
import { type HttpResponse, type ResponseLimits, ResponseReader } from "./responseReader.ts";
import { Tunnel } from "./tunnel.ts";

export interface ConnectionOptions extends ResponseLimits {
  readonly connectTimeoutMs: number;
  readonly proxy: HttpProxy | undefined;
  /** The session of an earlier connection, which shortens the TLS handshake. */
  readonly tlsSession?: Buffer | undefined;
  readonly onTlsSession: (session: Buffer) => void;
  /** Called once when the connection is closed by either side. */
  readonly onClosed: () => void;
}

interface Pending {
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: Error) => void;
}

/** TCP keep-alive: the idle time after which the kernel probes a connection. */
const KEEP_ALIVE_MS = 30_000;
/** Stop using a connection this long before the idle timeout that the service announced. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

export class Connection {
  readonly #socket: Socket;
  /** What keeps the process running: the socket, or the tunnel that it goes through. */
  readonly #held: Pick<Socket, "ref" | "unref"> | Tunnel;
  readonly #reader: ResponseReader;
  #pending: Pending | undefined;
  #reusableUntilMs = Number.POSITIVE_INFINITY;

  constructor(origin: Origin, options: ConnectionOptions) {
    this.#reader = new ResponseReader(options);
    const { proxy } = options;
    const tunnel = proxy && origin.tls ? new Tunnel(proxy, origin) : undefined;
    // A proxy forwards a request without TLS itself: the request names the service.
    const peer = tunnel ? origin : (proxy?.origin ?? origin);
    this.#socket = this.#connect(peer, options, tunnel);
    this.#held = tunnel ?? this.#socket;
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#limitConnecting(peer, options.connectTimeoutMs);
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("end", () => {
      this.#ended();
      this.#socket.destroy();
    });
    this.#socket.on("close", () => {
      this.#ended();
      options.onClosed();
    });
  }

  get isUsable(): boolean {
    return this.#socket.writable && performance.now() < this.#reusableUntilMs;
  }

  /**
   * Sends a request and resolves with its response. The caller waits before the next call.
   *
   * @throws ConnectionLost, InvalidHttpResponse, or the system's error with its code.
   */
  call(request: string | Uint8Array): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      if (this.#socket.destroyed) this.#ended();
      else {
        this.#held.ref();
        this.#socket.write(request);
      }
    });
  }

  /** Closes the connection. A call in flight is rejected with the error. */
  destroy(error?: Error): void {
    if (error) this.#fail(error);
    this.#socket.destroy();
  }

  #connect({ tls, host, port }: Origin, options: ConnectionOptions, tunnel?: Tunnel): Socket {
    const onread: OnReadOpts = {
      buffer: () => this.#reader.target,
      callback: (bytes) => this.#received(bytes),
    };
    const shared = { host, port, onread, noDelay: true };
    if (!tls) return connect(shared);
    const { tlsSession: session } = options;
    const tlsOptions = {
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 && { servername: host }),
      ...(session && { session }),
    };
    const socket = tunnel
      ? // Node ignores `onread` for TLS over another stream.
        connectThrough(tunnel, { host, ...tlsOptions }).on("data", (bytes) => this.#copied(bytes))
      : connectTls({ ...shared, ...tlsOptions });
    return socket.on("session", options.onTlsSession);
  }

  #limitConnecting({ tls, host, port }: Origin, timeoutMs: number): void {
    const timer = setTimeout(() => {
      const message = `No connection to ${host}:${port} could be established within ${timeoutMs} ms.`;
      this.destroy(new ConnectionLost("ETIMEDOUT", message));
    }, timeoutMs);
    const connected = () => clearTimeout(timer);
    this.#socket.once(tls ? "secureConnect" : "connect", connected).once("close", connected);
  }

  #copied(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; ) {
      const count = bytes.copy(this.#reader.target, 0, at);
      at += count;
      this.#received(count);
    }
  }

  /** @returns true: continue to read. */
  #received(bytes: number): boolean {
    const pending = this.#pending;
    if (!pending) {
      this.destroy();
      return true;
    }
    try {
      const response = this.#reader.received(bytes);
      if (response) this.#responded(pending, response);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new InvalidHttpResponse(String(error)));
    }
    return true;
  }

  #responded(pending: Pending, response: HttpResponse): void {
    this.#pending = undefined;
    if (response.reusable) {
      const seconds = /timeout=(\d{1,6})/.exec(response.headers["keep-alive"] ?? "")?.[1];
      this.#reusableUntilMs =
        seconds === undefined
          ? Number.POSITIVE_INFINITY
          : performance.now() + Number(seconds) * 1_000 - KEEP_ALIVE_MARGIN_MS;
      // An idle connection does not keep the process running.
      this.#held.unref();
    } else {
      this.#socket.destroy();
    }
    pending.resolve(response);
  }

  #ended(): void {
    const pending = this.#pending;
    if (!pending) return;
    try {
      this.#responded(pending, this.#reader.closed());
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }
}
