// Record processors that a person starts, under a debugger say, and that connect to us: instead of starting a child we
// wait for one. One shard at a time has a processor, the others wait in line; nobody is hurried.

import { createServer, type Server, type Socket } from "node:net";
import { unlessAborted } from "../../signals.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { ChildFailed } from "../childFailed.ts";
import type { ChildDialect } from "../dialect.ts";
import type { RecordProcessor, StartProcessor } from "../recordProcessor.ts";
import { SpokenProcessor } from "../startProcessor.ts";
import { Talk } from "../talk.ts";
import { type AttachAddress, listenAt } from "./attachAddress.ts";
import { AttachedProcess } from "./attached.ts";

export interface AttachOptions {
  /** Ends the wait for a processor: the shard is not ours any more, or we stop. */
  readonly over: AbortSignal;
  readonly dialect: ChildDialect;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Connections that came before a shard wanted them; more are hung up on. */
const EARLY_CONNECTIONS_MAX = 10;

export class AttachPoint {
  /** As people write it, with the port that was found free. */
  readonly address: string;
  readonly #server: Server;
  readonly #early: Socket[] = [];
  #wanted: ((socket: Socket) => void) | undefined;
  /** Fulfilled when the shard that came last has had its turn. */
  #lastTurn: Promise<void> = Promise.resolve();
  #inLine = 0;

  /** @throws UserError when nobody can listen there. */
  static async open(address: AttachAddress): Promise<AttachPoint> {
    // Half open, for its input ends before it has said its last.
    const server = createServer({ allowHalfOpen: true });
    return new AttachPoint(server, await listenAt(server, address));
  }

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
    server.on("connection", (socket) => this.#connected(socket));
  }

  /** A `StartProcessor` that waits for a connection. Its processors have no time limit. */
  processors(options: AttachOptions): StartProcessor {
    return async (shardId, answerCheckpoint) => {
      const turn = await this.#takeTurn(shardId, options);
      try {
        const socket = await this.#connection(options.over);
        if (!socket) throw nobodyCame(shardId, this.address);
        const attached = new AttachedProcess(socket, {
          ...options,
          shardId,
          address: this.address,
        });
        void attached.exited.then(turn.end);
        const talk = new Talk(attached, { ...options, shardId, answerCheckpoint, unhurried: true });
        return new SpokenProcessor(attached, talk, options.dialect) satisfies RecordProcessor;
      } catch (error) {
        turn.end();
        throw error;
      }
    };
  }

  /** Nobody connects any more; who is attached stays. */
  close(): void {
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  /** @throws ChildFailed when it is over before our turn comes. */
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
      throw nobodyCame(shardId, address);
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
    // What breaks shows itself as the end of what it says.
    socket.on("error", () => {});
    const take = this.#wanted;
    this.#wanted = undefined;
    if (take) take(socket);
    else if (this.#early.length < EARLY_CONNECTIONS_MAX) this.#early.push(socket);
    else socket.destroy();
  }
}

function nobodyCame(shardId: string, address: string): ChildFailed {
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
    "was waited for until the shard was to be given up: it did not connect",
    `Start it so that it reads from and writes to ${address}.`,
  );
}
