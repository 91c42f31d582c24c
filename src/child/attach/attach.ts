// Record processors that a user starts, for example in a debugger, and that connect to the daemon.
// The daemon waits for a connection instead of starting a child. One shard at a time has a
// processor, and the others wait for their turn. No time limit applies.

import { createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { unlessAborted } from "../../signals.ts";
import { ChildFailed } from "../childFailed.ts";
import type { ChildDialect } from "../dialect.ts";
import type { RecordProcessor, StartProcessor } from "../recordProcessor.ts";
import { Session } from "../session.ts";
import { ProtocolProcessor } from "../startProcessor.ts";
import { type AttachAddress, listenAt } from "./attachAddress.ts";
import { AttachedProcess } from "./attached.ts";

export interface AttachOptions {
  /** Ends the wait for a processor: the lease is lost, or the daemon stops. */
  readonly over: AbortSignal;
  readonly dialect: ChildDialect;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Connections that may wait for a shard. Further ones are closed. */
const EARLY_CONNECTIONS_MAX = 10;

export class AttachPoint {
  /** In the form of `--attach`, with the actual port. */
  readonly address: string;
  readonly #server: Server;
  readonly #early: Socket[] = [];
  #wanted: ((socket: Socket) => void) | undefined;
  /** Resolves when the last shard in line has had its turn. */
  #lastTurn: Promise<void> = Promise.resolve();
  #inLine = 0;

  /** @throws UserError when the daemon cannot listen at the address. */
  static async open(address: AttachAddress): Promise<AttachPoint> {
    // Half open, because the processor's input ends before its output.
    const server = createServer({ allowHalfOpen: true });
    return new AttachPoint(server, await listenAt(server, address));
  }

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
    server.on("connection", (socket) => this.#connected(socket));
  }

  /** A `StartProcessor` that waits for a connection. */
  processors(options: AttachOptions): StartProcessor {
    return async (shardId, answerCheckpoint) => {
      const turn = await this.#takeTurn(shardId, options);
      try {
        const socket = await this.#connection(options.over);
        if (!socket) throw notConnected(shardId, this.address);
        const attached = new AttachedProcess(socket, {
          ...options,
          shardId,
          address: this.address,
        });
        void attached.exited.then(turn.end);
        const session = new Session(attached, {
          ...options,
          shardId,
          answerCheckpoint,
          isDebugged: true,
        });
        return new ProtocolProcessor(attached, session, options.dialect) satisfies RecordProcessor;
      } catch (error) {
        turn.end();
        throw error;
      }
    };
  }

  /** Accepts no further connections. The attached processor stays. */
  close(): void {
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  /** @throws ChildFailed when `over` is aborted before the shard's turn. */
  async #takeTurn(
    shardId: string,
    { over, emit }: AttachOptions,
  ): Promise<{ readonly end: () => void }> {
    const before = this.#lastTurn;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#lastTurn = before.then(() => ended);
    const { address } = this;
    const place = ++this.#inLine;
    void ended.then(() => {
      this.#inLine--;
    });
    emit({ type: "waitingForAttachment", shardId, address, before: place - 1 });
    await unlessAborted(before, over);
    if (over.aborted) {
      end();
      throw notConnected(shardId, address);
    }
    if (place > 1) emit({ type: "waitingForAttachment", shardId, address, before: 0 });
    return { end };
  }

  async #connection(over: AbortSignal): Promise<Socket | undefined> {
    const early = this.#early.shift();
    if (early) return early;
    const connected = new Promise<Socket>((resolve) => {
      this.#wanted = resolve;
    });
    const socket = await unlessAborted(connected, over);
    if (!socket) this.#wanted = undefined;
    return socket;
  }

  #connected(socket: Socket): void {
    // A connection that breaks also ends its output, which is handled there.
    socket.on("error", () => {});
    const take = this.#wanted;
    this.#wanted = undefined;
    if (take) take(socket);
    else if (this.#early.length < EARLY_CONNECTIONS_MAX) this.#early.push(socket);
    else socket.destroy();
  }
}

function notConnected(shardId: string, address: string): ChildFailed {
  return new ChildFailed(
    {
      shardId,
      argv: [],
      attachedTo: address,
      waitingFor: "start",
      reason: "spawn",
      lastStdout: [],
      lastStderr: [],
    },
    "did not connect before the daemon gave up the shard",
    `Start the processor so that it reads from and writes to ${address}.`,
  );
}
