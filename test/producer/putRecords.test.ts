import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { kinesisClient } from "../../src/aws/kinesisClient.ts";
import { systemClock } from "../../src/clock.ts";
import { UserError } from "../../src/model/errors.ts";
import {
  MAX_BYTES_PER_CALL,
  MAX_RECORDS_PER_CALL,
  putRecords,
  type RecordToPut,
  splitIntoCalls,
} from "../../src/producer/putRecords.ts";
import { ensureStream } from "../../src/put/ensureStream.ts";
import { testKinesis } from "../support/emulators.ts";

const record = (word: string): RecordToPut => ({ data: Buffer.from(word), partitionKey: word });
const text = ({ data }: RecordToPut) => Buffer.from(data).toString();
const sizeOf = ({ data, partitionKey }: RecordToPut) => data.length + partitionKey.length;
const hasty = { ...systemClock, sleep: async () => {} };

describe("splitIntoCalls", () => {
  it("keeps the order, and keeps each call within the service's limits", () => {
    const sizes = fc.array(fc.constantFrom(1, 10, 1_000_000, 3_000_000, MAX_BYTES_PER_CALL), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(sizes, fc.constantFrom(0, 499, 500, 501, 1300), (big, small) => {
        const records = [...big, ...Array<number>(small).fill(1)].map((size) => ({
          data: new Uint8Array(size),
          partitionKey: "k",
        }));
        const calls = splitIntoCalls(records);
        expect(calls.flat()).toEqual(records);
        for (const call of calls) {
          const bytes = call.reduce((sum, one) => sum + sizeOf(one), 0);
          expect(call.length).toBeGreaterThan(0);
          expect(call.length).toBeLessThanOrEqual(MAX_RECORDS_PER_CALL);
          expect(call.length === 1 || bytes <= MAX_BYTES_PER_CALL).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("putRecords", () => {
  it("puts only the refused records again, in their order", async () => {
    const refusing = await kinesisThat((words, call) =>
      call === 0 ? words.filter((w) => w < "c") : words,
    );
    const result = await putRecords(refusing.client, "s", ["a", "d", "b", "c"].map(record), {
      clock: hasty,
    });
    expect(refusing.calls).toEqual([
      ["a", "d", "b", "c"],
      ["d", "c"],
    ]);
    expect(result.put.map(text)).toEqual(["a", "b", "d", "c"]);
    expect(result).toMatchObject({ refusals: 2, unsent: [] });
  });

  it("gives up on a stream that refuses every record, and says what to do", async () => {
    const refusing = await kinesisThat(() => []);
    const attempt = putRecords(refusing.client, "s", [record("a")], { clock: hasty });
    await expect(attempt).rejects.toThrow(UserError);
    await expect(attempt).rejects.toThrow(/ProvisionedThroughputExceededException.*--rate/);
    expect(refusing.calls).toHaveLength(30);
  });

  it("does not give up while some records are stored", async () => {
    const words = Array.from({ length: 60 }, (_, i) => `w${i}`);
    const slow = await kinesisThat((asked) => asked.slice(0, 1));
    const { put } = await putRecords(slow.client, "s", words.map(record), { clock: hasty });
    expect(put.map(text)).toEqual(words);
  });

  it("returns the records that are not stored when it is stopped between two attempts", async () => {
    const stop = new AbortController();
    const refusing = await kinesisThat((words) => {
      stop.abort();
      return words.slice(0, 1);
    });
    const records = ["a", "b", "c"].map(record);
    const result = await putRecords(refusing.client, "s", records, { signal: stop.signal });
    expect(result.put.map(text)).toEqual(["a"]);
    expect(result.unsent.map(text)).toEqual(["b", "c"]);
  });

  it("reports what earlier calls have stored when a later call fails", async () => {
    const words = Array.from({ length: MAX_RECORDS_PER_CALL + 2 }, (_, i) => `w${i}`);
    const failing = await kinesisThat((asked, call) => {
      if (call > 0) throw new Error("the second call fails");
      return asked.slice(1);
    });
    const stored: string[] = [];
    const attempt = putRecords(failing.client, "s", words.map(record), {
      clock: hasty,
      onStored: (records) => stored.push(...records.map(text)),
    });
    await expect(attempt).rejects.toThrow();
    expect(stored).toEqual(words.slice(1, MAX_RECORDS_PER_CALL));
  });
});

describe("a Kinesis that accepts a call and never responds", () => {
  const silent = async () => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const client = kinesisClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      requestTimeoutMs: 50,
      maxAttempts: 1,
    });
    onTestFinished(() => {
      client.destroy();
      server.closeAllConnections();
      server.close();
    });
    return client;
  };

  it("does not block putRecords", async () => {
    await expect(putRecords(await silent(), "s", [record("a")])).rejects.toThrow(/within 50 ms/);
  });

  it("does not block ensureStream", async () => {
    const { signal } = new AbortController();
    const wanted = { streamName: "s", createWithShards: 1 };
    await expect(ensureStream(await silent(), wanted, signal)).rejects.toThrow(/within 50 ms/);
  });
});

/** A Kinesis over HTTP. Of each PutRecords call it stores the words that the function returns. */
async function kinesisThat(
  takes: (words: readonly string[], call: number) => readonly string[],
): Promise<{ client: KinesisClient; calls: string[][] }> {
  const calls: string[][] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { Records: { Data: string }[] };
    const words = body.Records.map(({ Data }) => Buffer.from(Data, "base64").toString());
    let taken: readonly string[];
    try {
      taken = takes(words, calls.length);
    } catch {
      return void request.socket.destroy();
    }
    calls.push(words);
    const refused = {
      ErrorCode: "ProvisionedThroughputExceededException",
      ErrorMessage: "Slow down",
    };
    const Records = words.map((word) =>
      taken.includes(word) ? { SequenceNumber: "1", ShardId: "shardId-000000000000" } : refused,
    );
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify({ Records, FailedRecordCount: words.length - taken.length }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const client = testKinesis(`http://127.0.0.1:${port}`);
  onTestFinished(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { client, calls };
}
