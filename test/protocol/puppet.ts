// Controls test/fixtures/processors/puppet.mjs: a real child process that does what the test says.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { linesOf } from "../../src/transcript/lines.ts";

const PUPPET = fileURLToPath(new URL("../fixtures/processors/puppet.mjs", import.meta.url));

/** A line of 16 MiB, as JSON inside JSON. */
const MAX_REPLY_CHARACTERS = 64 * 1024 * 1024;

export class Strings {
  readonly command: { readonly file: string; readonly args: readonly string[] };
  readonly #folder: string;
  readonly #server: Server;
  readonly #puppet: Promise<{ socket: Socket; replies: AsyncGenerator<string, void, void> }>;

  static async hold(): Promise<Strings> {
    const folder = await mkdtemp(join(tmpdir(), "puppet-"));
    const server = createServer();
    server.listen(join(folder, "strings"));
    await once(server, "listening");
    return new Strings(folder, server);
  }

  private constructor(folder: string, server: Server) {
    this.#folder = folder;
    this.#server = server;
    this.command = { file: process.execPath, args: [PUPPET, join(folder, "strings")] };
    this.#puppet = once(server, "connection").then(([socket]: Socket[]) => {
      if (!socket) throw new Error("a connection without a socket");
      socket.on("error", () => {});
      return { socket, replies: linesOf(socket, MAX_REPLY_CHARACTERS) };
    });
  }

  async send(order: {
    readonly say?: string;
    readonly warn?: string;
    readonly hangUp?: true;
    /** Exit by itself when its input ends. */
    readonly leave?: true;
    readonly exit?: number;
  }): Promise<void> {
    const { socket } = await this.#puppet;
    socket.write(`${JSON.stringify(order)}\n`);
  }

  /** The next line that the daemon wrote, or `null` at the end of input. */
  async readLine(): Promise<string | null> {
    const { socket, replies } = await this.#puppet;
    socket.write(`${JSON.stringify({ listen: true })}\n`);
    const reply = await replies.next();
    if (reply.done) throw new Error("the puppet is gone");
    return (JSON.parse(reply.value) as { line: string | null }).line;
  }

  async release(): Promise<void> {
    this.#server.close();
    void this.#puppet.then(({ socket }) => socket.destroy());
    await rm(this.#folder, { recursive: true, force: true });
  }
}
