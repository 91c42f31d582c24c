// The body of a request, within a limit. The server's request timeout limits its time.

import type { IncomingMessage } from "node:http";

const BODY_MAX_BYTES = 1_024;

/** Why a request's body is not read at all. */
export function bodyProblem({ headers }: IncomingMessage): string | undefined {
  const isMeasured = headers["transfer-encoding"] === undefined;
  if (isMeasured && Number(headers["content-length"] ?? 0) <= BODY_MAX_BYTES) return undefined;
  return `A body has at most ${BODY_MAX_BYTES} bytes and states its length.`;
}

/** @returns `undefined` when the body is no JSON. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}
