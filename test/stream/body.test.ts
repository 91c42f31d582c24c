// The body of a response, however its bytes come in.

import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collectBody } from "../../src/stream/body.ts";
import { giveBuffer } from "../../src/stream/spareBuffers.ts";

interface Sent {
  readonly chunks: readonly Uint8Array[];
  /** The content-length; absent = chunked. */
  readonly announced?: number;
  /** The connection ends before the body does. */
  readonly cut?: boolean;
}

let sent: Sent = { chunks: [] };
const server = createServer(async (_, response) => {
  const { chunks, announced, cut } = sent;
  if (announced !== undefined) response.setHeader("content-length", announced);
  for (const chunk of chunks) {
    await new Promise((resolve) => response.write(chunk, resolve));
  }
  if (cut) response.destroy();
  else response.end();
});
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => server.close());

async function collect(next: Sent): Promise<Buffer> {
  sent = next;
  const { port } = server.address() as AddressInfo;
  const [response] = (await once(get({ port, host: "127.0.0.1", agent: false }), "response")) as [
    IncomingMessage,
  ];
  return collectBody(response);
}

test("is put together from any chunks, in a new buffer or a used one", async () => {
  const chunk = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 50 }),
    fc.uint8Array({ minLength: 10_000, maxLength: 40_000 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 6 }), fc.boolean(), async (chunks, announce) => {
      const all = Buffer.concat(chunks);
      const body = await collect({ chunks, ...(announce && { announced: all.length }) });
      expect(body.equals(all)).toBe(true);
      giveBuffer(body);
    }),
    { numRuns: 60 },
  );
});

test("is an error when the connection ends too early", async () => {
  const chunks = [Buffer.alloc(100)];
  await expect(collect({ chunks, announced: 200, cut: true })).rejects.toThrow();
  await expect(collect({ chunks, cut: true })).rejects.toThrow();
});

test("is an error when it is larger than any answer of the service", async () => {
  await expect(
    collect({ chunks: [Buffer.alloc(10)], announced: 100 * 1024 * 1024, cut: true }),
  ).rejects.toThrow("more than 67108864 bytes");
});

test("a buffer that is in use is not used for another body", async () => {
  const first = await collect({ chunks: [Buffer.alloc(30_000, 1)], announced: 30_000 });
  giveBuffer(first);
  const second = await collect({ chunks: [Buffer.alloc(20_000, 2)], announced: 20_000 });
  const third = await collect({ chunks: [Buffer.alloc(20_000, 3)], announced: 20_000 });
  expect(second.equals(Buffer.alloc(20_000, 2))).toBe(true);
  expect(third.equals(Buffer.alloc(20_000, 3))).toBe(true);
});
