// Where a person's processor attaches itself: a Unix socket, or a port on this machine alone.

import { once } from "node:events";
import { unlink } from "node:fs/promises";
import type { Server } from "node:net";
import { connect } from "node:net";
import { UserError } from "../../model/errors.ts";

export type AttachAddress =
  | { readonly type: "unix"; readonly path: string }
  /** 0: any free one. Always on 127.0.0.1, for who connects gets the records. */
  | { readonly type: "tcp"; readonly port: number };

const MAX_PORT = 65_535;
/** Its owner's alone, as the records are. */
const PRIVATE = 0o177;

/** `unix:/tmp/x.sock` or `tcp:9999`. @throws UserError */
export function parseAttachAddress(text: string): AttachAddress {
  const [, type, rest = ""] = /^(unix|tcp):(.+)$/s.exec(text) ?? [];
  if (type === "unix") return { type, path: rest };
  const port = rest.replace(/^(127\.0\.0\.1|localhost):/, "");
  if (type === "tcp" && /^\d{1,5}$/.test(port) && Number(port) <= MAX_PORT) {
    return { type, port: Number(port) };
  }
  throw new UserError(
    `--attach ${text}: say unix:PATH (a socket, as in unix:/tmp/processor.sock) or tcp:PORT (on 127.0.0.1; 0 takes a free port).`,
  );
}

/** Has the server listen there. @returns the address as people write it. @throws UserError */
export async function listenAt(server: Server, address: AttachAddress): Promise<string> {
  if (address.type === "unix") await removeLeftover(address.path);
  const shown = address.type === "unix" ? `unix:${address.path}` : `tcp:${address.port}`;
  const listening = once(server, "listening");
  if (address.type === "tcp") server.listen(address.port, "127.0.0.1");
  else listenPrivately(server, address.path);
  try {
    await listening;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new UserError(
      `--attach ${shown}: cannot listen there (${code}). Is another daemon attached to it, or may we not write there? Name another.`,
      { cause },
    );
  }
  const found = server.address();
  return typeof found === "object" && found ? `tcp:${found.address}:${found.port}` : shown;
}

/** The socket is made within the call, so nothing else of ours is made with this mask. */
function listenPrivately(server: Server, path: string): void {
  const before = process.umask(PRIVATE);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}

/** A socket that a killed process left behind: nobody listens on it. Anything else stays. */
async function removeLeftover(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    const refused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
    if (refused) await unlink(path).catch(() => {});
  } finally {
    probe.destroy();
  }
}
