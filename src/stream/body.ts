// Collects the body of an HTTP response into one buffer, of the size that the service announced, and keeps such buffers
// for bodies and events to come.

import type { IncomingMessage } from "node:http";
import { InvalidResponse } from "./errors.ts";
import { takeBuffer } from "./spareBuffers.ts";

/** The service sends at most 10 MiB of payload, 14 MiB as base64, and the names of at most 10,000 records. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const FIRST_BYTES = 16 * 1024;

/** @throws InvalidResponse when it is too long; the connection's error when it breaks. */
export async function collectBody(message: IncomingMessage): Promise<Buffer> {
  const announced = Number(message.headers["content-length"] ?? 0);
  if (announced > MAX_BODY_BYTES) throw tooLong(message);
  let body = takeBuffer(announced > 0 ? announced : FIRST_BYTES);
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
