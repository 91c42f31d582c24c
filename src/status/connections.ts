// The connections of the status server, whose number is limited. Clients that connect and send
// nothing cannot keep others out: when the limit is reached, the one that has been silent longest
// is closed.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

const CONNECTIONS_MAX = 64;

export class Connections {
  /** Those that are not being answered, the oldest first. */
  readonly #silent = new Set<Socket>();
  readonly #all = new Set<Socket>();

  watch(server: Server): void {
    server.on("connection", (socket) => this.#connected(socket));
    server.on("request", (request, response) => this.#asked(request, response));
  }

  closeAll(): void {
    for (const socket of this.#all) socket.destroy();
  }

  #connected(socket: Socket): void {
    // A client that goes away is no failure of ours.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#all.delete(socket);
      this.#silent.delete(socket);
    });
    this.#all.add(socket);
    this.#silent.add(socket);
    if (this.#all.size <= CONNECTIONS_MAX) return;
    const [oldest] = this.#silent;
    oldest?.destroy();
    // Destroyed sockets are closed a moment later.
    if (oldest) for (const set of [this.#all, this.#silent]) set.delete(oldest);
  }

  #asked({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#silent.delete(socket);
    response.once("close", () => {
      if (this.#all.has(socket)) this.#silent.add(socket);
    });
  }
}
