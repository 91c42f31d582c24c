// The children of a daemon that starts all of them with one command. Each connects to the test and
// is identified by the shard in its first line. A child that no test has requested behaves like an
// ordinary record processor.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linesOf } from "../../src/transcript/lines.ts";

const PUPPET = fileURLToPath(new URL("../fixtures/processors/puppet.mjs", import.meta.url));
const MAX_REPLY_CHARACTERS = 64 * 1024 * 1024;

type Order = Readonly<Record<string, unknown>>;

export class Puppet {
  readonly shardId: string;
  readonly #socket: Socket;
  readonly #replies: AsyncGenerator<string, void, void>;
  #first: string | undefined;

  constructor(
    socket: Socket,
    replies: AsyncGenerator<string, void, void>,
    first: string,
    shardId: string,
  ) {
    this.#socket = socket;
    this.#replies = replies;
    this.#first = first;
    this.shardId = shardId;
  }

  send(order: Order): void {
    this.#socket.write(`${JSON.stringify(order)}\n`);
  }

  /** The daemon's next line, or null at the end of its input. */
  async readLine(): Promise<string | null> {
    const first = this.#first;
    this.#first = undefined;
    return first ?? readReply(this.#socket, this.#replies);
  }

  async answerAll(): Promise<void> {
    for (let line = await this.readLine(); line !== null; line = await this.readLine()) {
      const { action } = JSON.parse(line) as { readonly action: string };
      this.send({ say: JSON.stringify({ action: "status", responseFor: action }) });
    }
    this.send({ exit: 0 });
  }
}

export class Puppets {
  readonly command: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #wanted = new Map<string, (puppet: Puppet) => void>();

  static async gather(): Promise<Puppets> {
    const folder = await mkdtemp(join(tmpdir(), "puppets-"));
    const server = createServer();
    server.listen(join(folder, "strings"));
    await once(server, "listening");
    return new Puppets(folder, server);
  }

  private constructor(folder: string, server: Server) {
    this.#folder = folder;
    this.#server = server;
    this.command = `${process.execPath} ${PUPPET} ${join(folder, "strings")}`;
    server.on("connection", (socket) => void this.#connect(socket).catch(() => {}));
  }

  /** The next child for a shard. Call this before the child is started. */
  next(shardId: string): Promise<Puppet> {
    return new Promise((resolve) => this.#wanted.set(shardId, resolve));
  }

  async release(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #connect(socket: Socket): Promise<void> {
    socket.on("error", () => {});
    this.#sockets.push(socket);
    const replies = linesOf(socket, MAX_REPLY_CHARACTERS);
    const first = await readReply(socket, replies);
    if (first === null) return;
    const { shardId } = JSON.parse(first) as { readonly shardId: string };
    const puppet = new Puppet(socket, replies, first, shardId);
    const take = this.#wanted.get(shardId);
    this.#wanted.delete(shardId);
    if (take) take(puppet);
    else await puppet.answerAll();
  }
}

async function readReply(
  socket: Socket,
  replies: AsyncGenerator<string, void, void>,
): Promise<string | null> {
  socket.write(`${JSON.stringify({ listen: true })}\n`);
  const reply = await replies.next();
  if (reply.done) throw new Error("the child is gone");
  return (JSON.parse(reply.value) as { line: string | null }).line;
}
