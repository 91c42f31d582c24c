// One connection to a service, over TLS or not: a call, its answer, the next call. It is closed by the first thing that
// goes wrong, for what would come after that belongs to nobody.

import { connect, isIP, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Answer, type AnswerLimits, AnswerReader } from "./answerReader.ts";
import { BrokenAnswer, ConnectionLost } from "./errors.ts";

export interface Origin {
  readonly tls: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface ConnectionOptions extends AnswerLimits {
  readonly connectTimeoutMs: number;
  /** Of an earlier connection, which makes the TLS handshake shorter. */
  readonly tlsSession?: Buffer | undefined;
  readonly onTlsSession: (session: Buffer) => void;
  /** It is gone, whoever ended it. */
  readonly onClosed: () => void;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** When the network looks after a connection that nobody uses. */
const KEEP_ALIVE_MS = 30_000;
/** A service that says how long it waits for the next call has closed by then; this is how much earlier we stop using it. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

export class Connection {
  readonly #socket: Socket;
  readonly #reader: AnswerReader;
  #pending: Pending | undefined;
  #reusableUntilMs = Number.POSITIVE_INFINITY;

  constructor(origin: Origin, options: ConnectionOptions) {
    this.#reader = new AnswerReader(options);
    const { host, port } = origin;
    const onread: OnReadOpts = {
      buffer: () => this.#reader.target,
      callback: (bytes) => this.#received(bytes),
    };
    const shared = { host, port, onread, noDelay: true };
    const { tlsSession: session } = options;
    this.#socket = origin.tls
      ? connectTls({
          ...shared,
          ALPNProtocols: ["http/1.1"],
          ...(isIP(host) === 0 && { servername: host }),
          ...(session && { session }),
        }).on("session", options.onTlsSession)
      : connect(shared);
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#limitConnecting(origin, options.connectTimeoutMs);
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

  /** Whether another call can be made. */
  get isUsable(): boolean {
    return this.#socket.writable && performance.now() < this.#reusableUntilMs;
  }

  /**
   * Sends a request and resolves with its answer; one at a time.
   *
   * @throws ConnectionLost, BrokenAnswer, or the system's error with its code.
   */
  call(request: string | Uint8Array): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      if (this.#socket.destroyed) this.#ended();
      else this.#socket.ref().write(request);
    });
  }

  /** Rejects a call that is under way with the error. */
  destroy(error?: Error): void {
    if (error) this.#fail(error);
    this.#socket.destroy();
  }

  #limitConnecting({ tls, host, port }: Origin, timeoutMs: number): void {
    const timer = setTimeout(() => {
      const message = `No connection to ${host}:${port} was made within ${timeoutMs} ms.`;
      this.destroy(new ConnectionLost("ETIMEDOUT", message));
    }, timeoutMs);
    const connected = () => clearTimeout(timer);
    this.#socket.once(tls ? "secureConnect" : "connect", connected).once("close", connected);
  }

  /** @returns true: go on reading. */
  #received(bytes: number): boolean {
    const pending = this.#pending;
    if (!pending) {
      this.destroy();
      return true;
    }
    try {
      const answer = this.#reader.received(bytes);
      if (answer) this.#answered(pending, answer);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new BrokenAnswer(String(error)));
    }
    return true;
  }

  #answered(pending: Pending, answer: Answer): void {
    this.#pending = undefined;
    if (answer.reusable) {
      const seconds = /timeout=(\d{1,6})/.exec(answer.headers["keep-alive"] ?? "")?.[1];
      this.#reusableUntilMs =
        seconds === undefined
          ? Number.POSITIVE_INFINITY
          : performance.now() + Number(seconds) * 1_000 - KEEP_ALIVE_MARGIN_MS;
      // A connection that waits keeps no process running.
      this.#socket.unref();
    } else {
      this.#socket.destroy();
    }
    pending.resolve(answer);
  }

  #ended(): void {
    const pending = this.#pending;
    if (!pending) return;
    try {
      this.#answered(pending, this.#reader.closed());
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
