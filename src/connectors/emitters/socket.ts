// Writes to a Unix socket or a TCP port on which a reader listens, or to the outlet of the command,
// which confirms each batch.

import { connect, type NetConnectOpts, type Socket } from "node:net";
import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { UserError } from "../../model/errors.ts";
import { chooseFormat } from "../formats.ts";
import { frame } from "../outlet.ts";
import { ALL_STORED, type Emitter, messageOf, TargetProblem } from "../pipeline.ts";
import { contentText, joined, type TextItem, textItem } from "./file.ts";

const WAIT_LIMIT_MS = 60_000;

/** @throws UserError when `address` is missing. */
export function openSocket({ address, ...format }: ConnectorValues): Emitter<TextItem> {
  if (address === undefined) {
    throw new UserError(
      "connectorDestination = socket needs address: unix:PATH or tcp:HOST:PORT, where the reader listens",
    );
  }
  const [, path, host = "", port] = /^(?:unix:(.+)|tcp:(.+):(\d+))$/.exec(address) ?? [];
  const options = path === undefined ? { host, port: Number(port) } : { path };
  return socketEmitter({ target: address, options, isConfirmed: false, format });
}

/** @param path absent for a preview, which writes nothing. */
export function openStdout(format: FormatValues, path = ""): Emitter<TextItem> {
  return socketEmitter({ target: "STDOUT", options: { path }, isConfirmed: true, format });
}

type FormatValues = Parameters<typeof chooseFormat>[0];

interface SocketParts {
  readonly target: string;
  readonly options: NetConnectOpts;
  /** The other side answers each batch. */
  readonly isConfirmed: boolean;
  readonly format: FormatValues;
}

function socketEmitter({ target, options, isConfirmed, format }: SocketParts): Emitter<TextItem> {
  let open: Socket | undefined;
  const connected = (signal: AbortSignal): Promise<Socket> =>
    new Promise((resolve, reject) => {
      if (open && !open.destroyed && open.writable) return resolve(open);
      const socket = connect({ ...options, timeout: WAIT_LIMIT_MS });
      const stop = () => socket.destroy(new Error("the connector stops"));
      signal.addEventListener("abort", stop, { once: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        signal.removeEventListener("abort", stop);
        socket.off("error", reject);
        // What a later error means, the next write finds out.
        socket.on("error", () => {});
        if (!isConfirmed) socket.resume();
        open = socket;
        resolve(socket);
      });
    });
  return {
    target,
    check: () => Promise.resolve(),
    toItem: textItem(chooseFormat(format)),
    placeOf: () => target,
    textOf: contentText,
    async emit(items, signal) {
      try {
        const socket = await connected(signal);
        const content = joined(items);
        await taken(socket, isConfirmed ? frame(content) : content, isConfirmed, signal);
      } catch (error) {
        open?.destroy();
        open = undefined;
        throw new TargetProblem("unavailable", messageOf(error), { cause: error });
      }
      return ALL_STORED;
    },
    async close() {
      open?.end();
      open = undefined;
    },
  };
}

/** Resolves when the other side has the batch: see `isConfirmed`. */
function taken(
  socket: Socket,
  bytes: Buffer,
  isConfirmed: boolean,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const over = (error?: Error) => {
      for (const [name, listener] of listeners) socket.off(name, listener);
      signal.removeEventListener("abort", stop);
      if (error) reject(error);
      else resolve();
    };
    const stop = () => over(new Error("the connector stops"));
    const listeners = [
      ["error", (error: Error) => over(error)],
      ["close", () => over(new Error("the reader closed the connection"))],
      ["data", () => isConfirmed && over()],
      ["timeout", () => over(new Error(`the reader took nothing for ${WAIT_LIMIT_MS} ms`))],
    ] as const;
    for (const [name, listener] of listeners) socket.on(name, listener);
    signal.addEventListener("abort", stop, { once: true });
    socket.write(bytes, (error) => {
      if (error) over(error);
      else if (!isConfirmed) over();
    });
  });
}
