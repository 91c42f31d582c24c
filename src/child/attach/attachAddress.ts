// The address at which a user's processor connects: a Unix socket, or a port on the loopback
// interface.

import { once } from "node:events";
import type { Server } from "node:net";
import { UserError } from "../../model/errors.ts";
import { listenOnSocket } from "../../privateSocket.ts";

export type AttachAddress =
  | { readonly type: "unix"; readonly path: string }
  /** 0: any free port. Always on 127.0.0.1, because whoever connects receives the records. */
  | { readonly type: "tcp"; readonly port: number };

const MAX_PORT = 65_535;

/** `unix:/tmp/x.sock` or `tcp:9999`. @throws UserError */
export function parseAttachAddress(text: string): AttachAddress {
  const [, type, rest = ""] = /^(unix|tcp):(.+)$/s.exec(text) ?? [];
  if (type === "unix") return { type, path: rest };
  const port = rest.replace(/^(127\.0\.0\.1|localhost):/, "");
  if (type === "tcp" && /^\d{1,5}$/.test(port) && Number(port) <= MAX_PORT) {
    return { type, port: Number(port) };
  }
  throw new UserError(
    `--attach ${text} is not an address. Write unix:PATH (a socket, as in unix:/tmp/processor.sock) or tcp:PORT (on 127.0.0.1; 0 selects a free port).`,
  );
}

/**
 * Makes the server listen at the address.
 *
 * @returns the address in the form of `--attach`, with the actual port.
 * @throws UserError when the daemon cannot listen there.
 */
export async function listenAt(server: Server, address: AttachAddress): Promise<string> {
  const shown = address.type === "unix" ? `unix:${address.path}` : `tcp:${address.port}`;
  const listening = once(server, "listening");
  listening.catch(() => {});
  if (address.type === "tcp") server.listen(address.port, "127.0.0.1");
  // Only the socket's owner may connect and so receive the records.
  else await listenOnSocket(server, address.path);
  try {
    await listening;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new UserError(
      `--attach ${shown}: the daemon cannot listen there (${code}). Check that no other daemon uses the address and that the daemon may write there, or use another address.`,
      { cause },
    );
  }
  const found = server.address();
  return typeof found === "object" && found ? `tcp:${found.address}:${found.port}` : shown;
}
