// A connection through a proxy to a service (RFC 9110, 9.3.6: CONNECT). It can be written to at
// once, as a socket that still connects: TLS, HTTP/2 and the SDK's own handler need no change.

import { connect, isIP, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type HttpProxy, type Origin, ProxyFailed } from "./proxy.ts";

/** A longer head of the proxy's response is an error. */
const MAX_HEAD_BYTES = 16 * 1024;
const HEAD_END = "\r\n\r\n";

export class Tunnel extends Duplex {
  readonly #proxy: HttpProxy;
  readonly #target: string;
  #socket: Socket | undefined;

  constructor(proxy: HttpProxy, { host, port }: Origin) {
    super();
    this.#proxy = proxy;
    this.#target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  }

  ref(): void {
    this.#socket?.ref();
  }

  /** An idle tunnel does not keep the process running. */
  unref(): void {
    this.#socket?.unref();
  }

  /** Until the callback is called, the stream neither reads nor writes. */
  override _construct(callback: (error?: Error) => void): void {
    const { origin, authorization, shown } = this.#proxy;
    const { host, port } = origin;
    const socket = origin.tls
      ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) })
      : connect({ host, port, noDelay: true });
    this.#socket = socket;
    let head = Buffer.alloc(0);
    const fail = (message: string, cause?: Error) =>
      callback(new ProxyFailed(`The proxy ${shown} ${message}`, { cause }));
    const onError = (error: Error) => fail(`cannot be reached: ${error.message}.`, error);
    const onEnd = () => fail(`closed the connection before it connected to ${this.#target}.`);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(HEAD_END);
      if (end < 0 && head.length < MAX_HEAD_BYTES) return;
      socket.off("data", onData).off("error", onError).off("end", onEnd).pause();
      const refusal = refusalIn(head.toString("latin1", 0, Math.max(end, 0)), this.#target);
      if (refusal !== undefined) return fail(refusal);
      this.#carry(socket, head.subarray(end + HEAD_END.length));
      callback();
    };
    socket.on("data", onData).on("error", onError).on("end", onEnd);
    const sent = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
    socket.write(`CONNECT ${this.#target} HTTP/1.1\r\nHost: ${this.#target}\r\n${sent}\r\n`);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(
    chunk: Buffer,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ) {
    this.#socket?.write(chunk, encoding, callback);
  }

  override _final(callback: () => void): void {
    this.#socket?.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#socket?.on("error", () => {}).destroy();
    callback(error);
  }

  #carry(socket: Socket, early: Buffer): void {
    if (early.length > 0) this.push(early);
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }
}

/** What the proxy's response says against the tunnel; `undefined` when it is open. */
function refusalIn(head: string, target: string): string | undefined {
  const [, status = "", reason = ""] = /^HTTP\/1\.[01] (\d{3})(?: (.*))?\r?$/m.exec(head) ?? [];
  if (status.startsWith("2")) return undefined;
  const said = status === "" ? "something that is not HTTP" : `${status} ${reason}`.trim();
  return `answered ${said} to the request for ${target}. ${REMEDIES[status] ?? REMEDIES["403"]}`;
}

const WRONG_PASSWORD = "Write USER:PASSWORD@ before its host, with %40 for an @ in the password.";
const REMEDIES: Readonly<Record<string, string>> = {
  "401": WRONG_PASSWORD,
  "403": "Let it allow this address and port, or name the host in NO_PROXY.",
  "407": WRONG_PASSWORD,
};
