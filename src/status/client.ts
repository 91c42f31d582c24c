// Asks the status server of a running daemon, over TCP or a Unix socket.

import { request } from "node:http";
import { UserError } from "../model/errors.ts";
import { formatHttpAddress, type HttpAddress } from "../model/httpAddress.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface AskOptions {
  readonly token?: string | undefined;
  readonly timeoutMs: number;
}

/** Where a daemon listens on all addresses, it is asked on this machine's own. */
const ANY: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** @throws UserError when nothing answers in time. */
export async function askStatus(
  address: HttpAddress,
  path: string,
  { token, timeoutMs }: AskOptions,
): Promise<Answer> {
  const place =
    address.type === "unix"
      ? { socketPath: address.path }
      : { host: ANY[address.host] ?? address.host, port: address.port };
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const sent = request({ ...place, path, headers, signal, agent: false }, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(pieces).toString("utf8");
          resolve({ status: response.statusCode ?? 0, body });
        });
      });
      sent.on("error", reject).end();
    });
  } catch (cause) {
    const why = signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(cause);
    throw new UserError(
      `No daemon answers at ${formatHttpAddress(address)} (${why}). Check that it runs, and that httpListen or --http names this address.`,
      { cause },
    );
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
