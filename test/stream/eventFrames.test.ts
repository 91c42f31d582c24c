// Splitting an event stream into frames, however the network splits it, and rejecting damaged
// frames.

import { once } from "node:events";
import { Readable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  readGetRecordsResponse,
  readSubscriptionEvent,
} from "../../src/records/getRecordsResponse.ts";
import { InvalidResponse } from "../../src/records/invalidResponse.ts";
import { EventFrames } from "../../src/stream/fanout/eventFrames.ts";
import { eventFrame, subscriptionEvent } from "../support/eventStream.ts";

interface Plain {
  readonly headers: Readonly<Record<string, string>>;
  readonly payload: string;
}

async function read(chunks: readonly Buffer[]): Promise<Plain[]> {
  const frames = new EventFrames(Readable.from(chunks, { objectMode: false }));
  const found: Plain[] = [];
  for (;;) {
    const frame = await frames.next();
    if (!frame) return found;
    const headers = Object.fromEntries(frame.headers);
    found.push({ headers, payload: frame.payload.toString("latin1") });
  }
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  let start = 0;
  return ends
    .sort((a, b) => a - b)
    .flatMap((end) => {
      const chunk = bytes.subarray(start, end);
      start = end;
      return chunk.length > 0 ? [chunk] : [];
    });
}

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const frame = fc.record({
  headers: fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), text, { maxKeys: 4 }),
  payload: fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.integer({ min: 60_000, max: 2_500_000 }).map((length) => "x".repeat(length)),
  ),
});
const places = fc.array(fc.nat(), { maxLength: 30 });

test("yields the same frames however the stream is split into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 6 }), places, async (frames, cuts) => {
      const bytes = Buffer.concat(
        frames.map(({ headers, payload }) => eventFrame(headers, Buffer.from(payload, "latin1"))),
      );
      const expected = frames.map(({ headers, payload }) => ({
        headers: { ...headers },
        payload: Buffer.from(payload, "latin1").toString("latin1"),
      }));
      expect(await read(cut(bytes, cuts))).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("rejects a frame with a flipped bit or without its end", async () => {
  const bytes = eventFrame({ ":message-type": "event" }, Buffer.from('{"Records":[]}'));
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: bytes.length * 8 - 1 }), async (bit) => {
      const damaged = Buffer.from(bytes);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      await expect(read([damaged])).rejects.toThrow(InvalidResponse);
    }),
  );
  for (let length = 1; length < bytes.length; length += 1) {
    await expect(read([bytes.subarray(0, length)])).rejects.toThrow(InvalidResponse);
  }
});

test("skips headers of other types", async () => {
  const time = Buffer.from([5, ...Buffer.from(":date"), 8, 0, 0, 0, 0, 0, 0, 0, 1]);
  const plain = eventFrame({ ":event-type": "x" }, Buffer.from("y"));
  const headers = Buffer.concat([time, plain.subarray(12, plain.length - 5)]);
  // A new frame with both headers.
  const framed = eventFrame({}, Buffer.concat([headers, Buffer.from("y")]));
  framed.writeUInt32BE(headers.length, 4);
  const { crc32 } = await import("node:zlib");
  framed.writeUInt32BE(crc32(framed.subarray(0, 8)), 8);
  framed.writeUInt32BE(crc32(framed.subarray(0, framed.length - 4)), framed.length - 4);
  expect(await read([framed])).toEqual([{ headers: { ":event-type": "x" }, payload: "y" }]);
});

test("reads nothing from the connection between two calls", async () => {
  let given = 0;
  const source = new Readable({
    highWaterMark: 64 * 1024,
    read() {
      given += 1;
      this.push(subscriptionEvent({ Records: [], pad: "x".repeat(100_000) }));
    },
  });
  const frames = new EventFrames(source);
  expect(await frames.next()).toBeDefined();
  const before = given;
  // Node may fill the stream's own buffer once more.
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(given - before).toBeLessThanOrEqual(2);
  const closed = once(source, "close");
  frames.close();
  expect(await frames.next()).toBeUndefined();
  await closed;
});

test("parses an event like a GetRecords response", () => {
  const records = [
    {
      ApproximateArrivalTimestamp: 1795698072.375,
      Data: "dzE=",
      EncryptionType: "NONE",
      PartitionKey: 'k\u2028"1',
      SequenceNumber: "49680583789866266699622043257287808762100293430333669378",
    },
  ];
  const event = { Records: records, ContinuationSequenceNumber: "7", MillisBehindLatest: 3 };
  const answer = { Records: records, NextShardIterator: "7", MillisBehindLatest: 3 };
  const { continuationSequenceNumber, ...rest } = readSubscriptionEvent(
    Buffer.from(JSON.stringify(event)),
  );
  const { nextShardIterator, ...same } = readGetRecordsResponse(
    Buffer.from(JSON.stringify(answer)),
  );
  expect(continuationSequenceNumber).toBe(nextShardIterator);
  expect(rest).toEqual(same);
});
