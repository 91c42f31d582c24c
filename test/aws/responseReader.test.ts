// Parsing HTTP/1.1 responses, however their bytes are split.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HttpResponse, ResponseReader } from "../../src/aws/connections/responseReader.ts";

const LIMITS = { maxBodyBytes: 1_000_000, allocate: Buffer.allocUnsafe };

/**
 * Feeds bytes to the reader in pieces of these lengths, like a socket: at most the target's size.
 */
function feed(reader: ResponseReader, bytes: Uint8Array, pieces = [bytes.length]): HttpResponse[] {
  const responses: HttpResponse[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const { target } = reader;
    expect(target.length).toBeGreaterThan(0);
    const length = Math.min(target.length, pieces[turn % pieces.length] ?? 1, bytes.length - at);
    target.set(bytes.subarray(at, at + length));
    const response = reader.received(length);
    if (response) responses.push(response);
    at += length;
  }
  return responses;
}

function parse(bytes: Uint8Array): { responses: readonly HttpResponse[]; reader: ResponseReader } {
  const reader = new ResponseReader(LIMITS);
  return { responses: feed(reader, bytes), reader };
}

const text = (...lines: readonly string[]) => Buffer.from(lines.join("\r\n"));

type Body = { readonly chunks: readonly Uint8Array[]; readonly chunked: boolean };

/** A body in one of the framings that a service may use. */
function rendered({ chunks, chunked }: Body): Buffer {
  const all = Buffer.concat(chunks);
  if (!chunked) {
    return Buffer.concat([text("HTTP/1.1 200 OK", `Content-Length: ${all.length}`, "", ""), all]);
  }
  const parts = chunks
    .filter(({ length }) => length > 0)
    .flatMap((chunk) => [text(`${chunk.length.toString(16)};a=b`, ""), chunk, text("", "")]);
  const head = text("HTTP/1.1 200 OK", "transfer-encoding: Chunked", "", "");
  return Buffer.concat([head, ...parts, text("0", "trailer: x", "", "")]);
}

const bodies: fc.Arbitrary<Body> = fc.record({
  chunks: fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 15_000, maxLength: 40_000 }),
    ),
    { maxLength: 4 },
  ),
  chunked: fc.boolean(),
});

const pieces = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1_000, max: 70_000 })),
  { minLength: 1, maxLength: 8 },
);

test("reads responses one after the other from pieces of any lengths", () => {
  fc.assert(
    fc.property(fc.array(bodies, { minLength: 1, maxLength: 4 }), pieces, (sent, lengths) => {
      const reader = new ResponseReader(LIMITS);
      // A service responds only to a request, so no piece contains bytes of two responses.
      const responses = sent.flatMap((body) => feed(reader, rendered(body), lengths));
      expect(responses.length).toBe(sent.length);
      sent.forEach(({ chunks }, i) => {
        expect(responses[i]).toMatchObject({ statusCode: 200, reusable: true });
        expect(responses[i]?.body.equals(Buffer.concat(chunks))).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

test("reads a body of known length into its final buffer without a copy", () => {
  const reader = new ResponseReader(LIMITS);
  const head = text("HTTP/1.1 200 OK", "content-length: 100000", "", "");
  reader.target.set(head);
  expect(reader.received(head.length)).toBeUndefined();
  const { target } = reader;
  target.fill("x");
  const response = reader.received(target.length);
  expect(response?.body.buffer).toBe(target.buffer);
  expect(response?.body.byteOffset).toBe(target.byteOffset);
});

test("converts header names to lower case and joins repeated headers", () => {
  const head = text("HTTP/1.1 400 ", "X-A:  b c\t", "x-a: d", "content-length: 2, 2", "", "{}");
  const [response] = parse(head).responses;
  expect(response).toMatchObject({ statusCode: 400, headers: { "x-a": "b c, d" }, reusable: true });
});

test("skips interim responses", () => {
  const { responses } = parse(
    text("HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", "content-length: 2", "", "{}"),
  );
  expect(responses.map(({ statusCode, body }) => [statusCode, String(body)])).toEqual([
    [200, "{}"],
  ]);
});

test("ends a body without length at the end of the connection", () => {
  const { responses, reader } = parse(text("HTTP/1.1 200 OK", "", "all of", "it"));
  expect(responses).toEqual([]);
  const response = reader.closed();
  expect(String(response.body)).toBe("all of\r\nit");
  expect(response.reusable).toBe(false);
});

describe("does not reuse a connection", () => {
  test.each([
    ["when the service closes it", "HTTP/1.1 200 OK", "Connection: Close", "content-length: 2"],
    ["in HTTP/1.0", "HTTP/1.0 200 OK", "content-length: 2"],
    ["when bytes follow the response", "HTTP/1.1 200 OK", "content-length: 1"],
  ])("%s", (_, ...head) => {
    expect(parse(text(...head, "", "{}")).responses).toMatchObject([{ reusable: false }]);
  });

  test("but reuses it in HTTP/1.0 when the service keeps it alive", () => {
    const head = text("HTTP/1.0 200 OK", "connection: Keep-Alive", "content-length: 2", "", "{}");
    expect(parse(head).responses).toMatchObject([{ reusable: true }]);
  });
});

describe("rejects", () => {
  test.each([
    ["another protocol", /not HTTP\/1\.1/, "SSH-2.0-OpenSSH_9.6", ""],
    ["HTTP/2", /not HTTP\/1\.1/, "HTTP/2 200", ""],
    ["a header without a name", /header line/, "HTTP/1.1 200 OK", ": x", ""],
    ["a continued header", /header line/, "HTTP/1.1 200 OK", "a: b", " c", ""],
    ["a control character", /header line/, "HTTP/1.1 200 OK", "a: \u0001", ""],
    ["an invalid length", /content-length "0x2"/, "HTTP/1.1 200 OK", "content-length: 0x2", ""],
    ["two different lengths", /content-length/, "HTTP/1.1 200 OK", "content-length: 1, 2", ""],
    ["a body that is too long", /longer than/, "HTTP/1.1 200 OK", "content-length: 1000001", ""],
    ["an unknown encoding", /"gzip"/, "HTTP/1.1 200 OK", "transfer-encoding: gzip", ""],
    ["a chunk without length", /chunk/, "HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "x"],
    [
      "a chunk that is longer than its length",
      /longer than its length/,
      ...["HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "1", "ab"],
    ],
  ])("%s", (_, message, ...lines) => {
    expect(() => parse(text(...lines, "", ""))).toThrow(message);
  });

  test("a head without an end", () => {
    const endless = Buffer.from(`HTTP/1.1 200 OK\r\na: ${"x".repeat(20_000)}`);
    expect(() => parse(endless)).toThrow("a head longer than 16384 bytes");
  });

  test("chunks whose sum exceeds the limit of a body", () => {
    const chunk = Buffer.concat([text("f4240", ""), Buffer.alloc(1_000_000), text("", "")]);
    const head = text("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "");
    expect(() => parse(Buffer.concat([head, chunk, chunk]))).toThrow("longer than 1000000 bytes");
  });

  test("a connection that ends before the response", () => {
    for (const lines of [
      ["HTTP/1.1 200 OK"],
      ["HTTP/1.1 200 OK", "content-length: 3", "", "{}"],
      ["HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "2", "{}"],
    ]) {
      const { reader } = parse(text(...lines));
      expect(() => reader.closed()).toThrow("in the middle of its response");
    }
    expect(() => new ResponseReader(LIMITS).closed()).toThrow("before its response");
  });
});
