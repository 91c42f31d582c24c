// Answers of HTTP/1.1, however their bytes come in.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HttpResponse, ResponseReader } from "../../src/aws/connections/responseReader.ts";

const LIMITS = { maxBodyBytes: 1_000_000, allocate: Buffer.allocUnsafe };

/** Gives bytes to the reader in pieces of these lengths, in turn, as a socket would: at most what the target holds. */
function feed(reader: ResponseReader, bytes: Uint8Array, pieces = [bytes.length]): HttpResponse[] {
  const answers: HttpResponse[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const { target } = reader;
    expect(target.length).toBeGreaterThan(0);
    const length = Math.min(target.length, pieces[turn % pieces.length] ?? 1, bytes.length - at);
    target.set(bytes.subarray(at, at + length));
    const answer = reader.received(length);
    if (answer) answers.push(answer);
    at += length;
  }
  return answers;
}

function tell(bytes: Uint8Array): { answers: readonly HttpResponse[]; reader: ResponseReader } {
  const reader = new ResponseReader(LIMITS);
  return { answers: feed(reader, bytes), reader };
}

const text = (...lines: readonly string[]) => Buffer.from(lines.join("\r\n"));

type Body = { readonly chunks: readonly Uint8Array[]; readonly chunked: boolean };

/** As a service might send it. */
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

test("are read one after the other from any pieces", () => {
  fc.assert(
    fc.property(fc.array(bodies, { minLength: 1, maxLength: 4 }), pieces, (sent, lengths) => {
      const reader = new ResponseReader(LIMITS);
      // A service answers when it was asked, and not before: no piece has bytes of two answers.
      const answers = sent.flatMap((body) => feed(reader, rendered(body), lengths));
      expect(answers.length).toBe(sent.length);
      sent.forEach(({ chunks }, i) => {
        expect(answers[i]).toMatchObject({ statusCode: 200, reusable: true });
        expect(answers[i]?.body.equals(Buffer.concat(chunks))).toBe(true);
      });
    }),
    { numRuns: 300 },
  );
});

test("a body of known length is put into its place without a copy", () => {
  const reader = new ResponseReader(LIMITS);
  const head = text("HTTP/1.1 200 OK", "content-length: 100000", "", "");
  reader.target.set(head);
  expect(reader.received(head.length)).toBeUndefined();
  const { target } = reader;
  target.fill("x");
  const answer = reader.received(target.length);
  expect(answer?.body.buffer).toBe(target.buffer);
  expect(answer?.body.byteOffset).toBe(target.byteOffset);
});

test("headers are known by lower-case names, and those said twice are joined", () => {
  const head = text("HTTP/1.1 400 ", "X-A:  b c\t", "x-a: d", "content-length: 2, 2", "", "{}");
  const [answer] = tell(head).answers;
  expect(answer).toMatchObject({ statusCode: 400, headers: { "x-a": "b c, d" }, reusable: true });
});

test("what comes before an answer is passed over", () => {
  const { answers } = tell(
    text("HTTP/1.1 100 Continue", "", "HTTP/1.1 200 OK", "content-length: 2", "", "{}"),
  );
  expect(answers.map(({ statusCode, body }) => [statusCode, String(body)])).toEqual([[200, "{}"]]);
});

test("a body without length ends with the connection", () => {
  const { answers, reader } = tell(text("HTTP/1.1 200 OK", "", "all of", "it"));
  expect(answers).toEqual([]);
  const answer = reader.closed();
  expect(String(answer.body)).toBe("all of\r\nit");
  expect(answer.reusable).toBe(false);
});

describe("a connection is not used again", () => {
  test.each([
    ["when the service says so", "HTTP/1.1 200 OK", "Connection: Close", "content-length: 2"],
    ["in HTTP/1.0", "HTTP/1.0 200 OK", "content-length: 2"],
    ["when more came than was asked for", "HTTP/1.1 200 OK", "content-length: 1"],
  ])("%s", (_, ...head) => {
    expect(tell(text(...head, "", "{}")).answers).toMatchObject([{ reusable: false }]);
  });

  test("except in HTTP/1.0 when the service says so", () => {
    const head = text("HTTP/1.0 200 OK", "connection: Keep-Alive", "content-length: 2", "", "{}");
    expect(tell(head).answers).toMatchObject([{ reusable: true }]);
  });
});

describe("is an error:", () => {
  test.each([
    ["another protocol", /no HTTP\/1\.1/, "SSH-2.0-OpenSSH_9.6", ""],
    ["HTTP/2", /no HTTP\/1\.1/, "HTTP/2 200", ""],
    ["a header without name", /header line/, "HTTP/1.1 200 OK", ": x", ""],
    ["a continued header", /header line/, "HTTP/1.1 200 OK", "a: b", " c", ""],
    ["a control character", /header line/, "HTTP/1.1 200 OK", "a: \u0001", ""],
    ["a length that is none", /content-length "0x2"/, "HTTP/1.1 200 OK", "content-length: 0x2", ""],
    ["two lengths", /content-length/, "HTTP/1.1 200 OK", "content-length: 1, 2", ""],
    ["a body that is too long", /longer than/, "HTTP/1.1 200 OK", "content-length: 1000001", ""],
    ["an unknown encoding", /"gzip"/, "HTTP/1.1 200 OK", "transfer-encoding: gzip", ""],
    ["a chunk without length", /chunk/, "HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "x"],
    [
      "a chunk that is longer than it says",
      /longer than it says/,
      ...["HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "1", "ab"],
    ],
  ])("%s", (_, message, ...lines) => {
    expect(() => tell(text(...lines, "", ""))).toThrow(message);
  });

  test("a head without end", () => {
    const endless = Buffer.from(`HTTP/1.1 200 OK\r\na: ${"x".repeat(20_000)}`);
    expect(() => tell(endless)).toThrow("a head of more than 16384 bytes");
  });

  test("chunks that come to more than any answer", () => {
    const chunk = Buffer.concat([text("f4240", ""), Buffer.alloc(1_000_000), text("", "")]);
    const head = text("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "");
    expect(() => tell(Buffer.concat([head, chunk, chunk]))).toThrow("longer than 1000000 bytes");
  });

  test("an end of the connection before that of the answer", () => {
    for (const lines of [
      ["HTTP/1.1 200 OK"],
      ["HTTP/1.1 200 OK", "content-length: 3", "", "{}"],
      ["HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "2", "{}"],
    ]) {
      const { reader } = tell(text(...lines));
      expect(() => reader.closed()).toThrow("in the middle of its answer");
    }
    expect(() => new ResponseReader(LIMITS).closed()).toThrow("without an answer");
  });
});
