// Accepts clients at an address: the protocol at a Unix socket, or HTTP at a loopback port.

import { once } from "node:events";
import { unlink } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { UserError } from "../../model/errors.ts";
import { httpServer } from "./http.ts";
import type { ListenAddress } from "./listenAddress.ts";
import { Session, type SessionParts, type Totals } from "./session.ts";

export interface Listening {
  /** As in the option, with the port that was taken. */
  readonly address: string;
  /**
   * Takes no more records, and resolves when every client has its results.
   *
   * @returns what the clients of a Unix socket put.
   */
  readonly stop: () => Promise<readonly Totals[]>;
}

export type ClientParts = Omit<SessionParts, "input" | "output">;

/** @throws UserError when the address is in use. */
export async function listen(address: ListenAddress, parts: ClientParts): Promise<Listening> {
  return address.type === "http" ? listenHttp(address, parts) : listenUnix(address.path, parts);
}

async function listenHttp(
  { host, port }: { readonly host: string; readonly port: number },
  { core }: ClientParts,
): Promise<Listening> {
  const server = httpServer(core);
  await listening(server, { host, port }, `http://${host}:${port}`);
  const { port: taken } = server.address() as AddressInfo;
  return {
    address: `http://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      void core.flush();
      await closed;
      return [];
    },
  };
}

async function listenUnix(path: string, parts: ClientParts): Promise<Listening> {
  const stop = new AbortController();
  const sessions = new Set<Promise<Totals>>();
  const ended: Totals[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const session = serve(socket, parts, stop.signal).then((totals) => {
      sessions.delete(session);
      ended.push(totals);
      return totals;
    });
    sessions.add(session);
  });
  await removeStale(path);
  await listening(server, { path, readableAll: false, writableAll: false }, `unix:${path}`);
  return {
    address: `unix:${path}`,
    stop: async () => {
      server.close();
      stop.abort();
      await Promise.all(sessions);
      return ended;
    },
  };
}

async function serve(socket: Socket, parts: ClientParts, signal: AbortSignal): Promise<Totals> {
  const totals = await new Session({ ...parts, input: socket, output: socket }).run(signal);
  socket.destroy();
  return totals;
}

async function listening(
  server: Server,
  where: Parameters<Server["listen"]>[0] & object,
  address: string,
): Promise<void> {
  server.listen(where);
  try {
    await once(server, "listening");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "another process listens there" : String(code);
    throw new UserError(`The producer cannot listen at ${address}: ${why}.`, { cause });
  }
}

/** The socket's file of a producer that was killed stays behind. */
async function removeStale(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED") await unlink(path);
    return;
  } finally {
    probe.destroy();
  }
  throw new UserError(`The producer cannot listen at unix:${path}: another process listens there.`);
}
