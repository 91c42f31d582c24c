// Joins the connectors of all shards into one STDOUT, that of the command. A connector's own STDOUT
// belongs to the protocol, so it sends its batches here, over a Unix socket: four bytes with the
// length, big-endian, and the bytes. It receives one byte once the batch is written.

import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { listenOnSocket } from "../privateSocket.ts";

const LENGTH_BYTES = 4;
export const TAKEN = Buffer.from("\n");

export interface Outlet {
  /** The path of the socket. */
  readonly path: string;
  close(): Promise<void>;
}

/** @param onGone called once when the reader of the output has gone. */
export async function openOutlet(output: Writable, onGone: () => void): Promise<Outlet> {
  const folder = await mkdtemp(join(tmpdir(), "kinesis-multilang-outlet-"));
  const path = join(folder, "outlet.sock");
  const sockets = new Set<Socket>();
  let isGone = false;
  output.on("error", () => {
    if (!isGone) onGone();
    isGone = true;
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    void serve(socket, output);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve).once("error", reject);
    listenOnSocket(server, path).catch(reject);
  });
  return {
    path,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function serve(socket: Socket, output: Writable): Promise<void> {
  try {
    for await (const batch of framesOf(socket)) {
      await written(output, batch);
      socket.write(TAKEN);
    }
  } catch {
    // The connector emits the batch again, over a new connection.
    socket.destroy();
  }
}

async function* framesOf(socket: Socket): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const part of socket as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    while (length >= LENGTH_BYTES) {
      const [first = Buffer.alloc(0)] = parts;
      const head = first.length < LENGTH_BYTES ? Buffer.concat(parts) : first;
      const end = LENGTH_BYTES + head.readUInt32BE();
      if (length < end) break;
      const whole = Buffer.concat(parts);
      yield whole.subarray(LENGTH_BYTES, end);
      parts = [whole.subarray(end)];
      length -= end;
    }
  }
}

/** One batch for the outlet. */
export function frame(content: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

function written(output: Writable, batch: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(batch, (error) => (error ? reject(error) : resolve()));
  });
}
