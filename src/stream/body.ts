// Collects the body of an HTTP response into one buffer, of the size that the service announced, and keeps such buffers
// for bodies and events to come.

import type { IncomingMessage } from "node:http";
import { InvalidResponse } from "./errors.ts";

/** The service sends at most 10 MiB of payload, 14 MiB as base64, and the names of at most 10,000 records. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const FIRST_BYTES = 16 * 1024;

/** As much memory is kept for bodies to come: one large answer, or many small ones. */
const MAX_SPARE_BYTES = 20 * 1024 * 1024;

/** Buffers that are not in use. Fresh memory has to be cleared by the kernel and found again by the collector. */
const spares: Buffer[] = [];
let spareBytes = 0;

/** A body's buffer that nobody looks at any more, for one that comes. */
export function reuseBody(body: Buffer): void {
  const buffer = Buffer.from(body.buffer);
  spares.push(buffer);
  spareBytes += buffer.length;
  while (spareBytes > MAX_SPARE_BYTES) spareBytes -= spares.shift()?.length ?? 0;
}

/** A buffer of at least that size, to be given back with `reuseBody` where that is easy. */
export function bufferOf(bytes: number): Buffer {
  const fitting = spares.findLastIndex(({ length }) => length >= bytes && length <= 4 * bytes);
  const [buffer = Buffer.allocUnsafeSlow(bytes)] = fitting < 0 ? [] : spares.splice(fitting, 1);
  if (fitting >= 0) spareBytes -= buffer.length;
  return buffer;
}

/** @throws InvalidResponse when it is too long; the connection's error when it breaks. */
export async function collectBody(message: IncomingMessage): Promise<Buffer> {
  const announced = Number(message.headers["content-length"] ?? 0);
  if (announced > MAX_BODY_BYTES) throw tooLong(message);
  let body = bufferOf(announced > 0 ? announced : FIRST_BYTES);
  let length = 0;
  await new Promise<void>((resolve, reject) => {
    message.on("data", (chunk: Buffer) => {
      if (length + chunk.length > body.length) {
        if (length + chunk.length > MAX_BODY_BYTES) {
          reject(tooLong(message));
          return;
        }
        const larger = Buffer.allocUnsafeSlow(Math.max(body.length * 2, length + chunk.length));
        body.copy(larger, 0, 0, length);
        body = larger;
      }
      chunk.copy(body, length);
      length += chunk.length;
    });
    message.once("end", resolve);
    message.once("error", reject);
    // Also comes after "end"; without it, the connection was cut.
    message.once("close", () => {
      if (!message.complete) reject(new InvalidResponse("Kinesis cut its answer off."));
    });
  });
  return body.subarray(0, length);
}

function tooLong(message: IncomingMessage): InvalidResponse {
  message.destroy();
  return new InvalidResponse(
    `Kinesis answered with a body of more than ${MAX_BODY_BYTES} bytes; GetRecords never does.`,
  );
}
