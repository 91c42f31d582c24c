// Unix sockets on which a server listens: only their owner may connect, and one that a killed
// process left behind is no obstacle.

import { once } from "node:events";
import { unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";

/** Nobody but the owner may do anything with the file. */
const PRIVATE = 0o177;

/** Makes the server listen; it reports success and failure by its events. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeLeftover(path);
  // The socket is created within the call, so the mask applies to no other file.
  const before = process.umask(PRIVATE);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}

/**
 * Removes a socket on which nobody listens, because its process was killed. Any other file stays.
 */
async function removeLeftover(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    const isRefused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
    if (isRefused) await unlink(path).catch(() => {});
  } finally {
    probe.destroy();
  }
}
