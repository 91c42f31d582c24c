// The library, as its users import it: from the packed files, with a Kinesis over HTTP.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type * as Library from "../../src/producer/producer.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { until } from "../support/emulators.ts";
import { type PutKinesisOptions, startPutKinesis, userRecords } from "../support/putKinesis.ts";

const { Producer, RecordFailed } = (await import(
  join(import.meta.dirname, "../../dist/producer.js")
)) as typeof Library;

async function kinesisFor(options: PutKinesisOptions = {}) {
  const kinesis = await startPutKinesis(options);
  onTestFinished(() => kinesis.stop());
  return kinesis;
}

describe("Producer", () => {
  it("resolves put with the place of the record, and ends with await using", async () => {
    const kinesis = await kinesisFor({ shards: 3 });
    const puts: Promise<Library.Stored>[] = [];
    {
      await using producer = new Producer({
        stream: "words",
        endpoint: kinesis.url,
        // The shards may be listed late on a busy machine.
        recordMaxBufferedTime: 10_000,
      });
      for (let i = 0; i < 1_000; i += 1) {
        await producer.ready();
        puts.push(producer.put({ partitionKey: `key ${i}`, data: `${i}` }));
      }
      expect(await producer.flush()).toBe(0);
      expect(producer.getMetrics({ name: "UserRecordsPut" })[0]).toMatchObject({ sum: 1_000 });
    }
    const told = (await Promise.all(puts)).map(({ attempts, ...place }, i) => ({ ...place, i }));
    const read = userRecords(kinesis.stored).map(({ key, data, ...place }) => ({
      ...place,
      i: Number(String(data)),
    }));
    expect(read.toSorted((a, b) => a.i - b.i)).toEqual(told);
    expect(kinesis.stored.length).toBeLessThan(100);
  });

  it("rejects what cannot be put, and what comes after close", async () => {
    const kinesis = await kinesisFor();
    const producer = new Producer({ endpoint: kinesis.url });
    const put = (stream: string | undefined, partitionKey: string) =>
      producer.put({ ...(stream !== undefined && { stream }), partitionKey, data: "x" });
    await expect(put(undefined, "k")).rejects.toThrow(/names no stream/);
    await expect(put("words", "")).rejects.toThrow(RecordFailed);
    await expect(put("words", "")).rejects.toMatchObject({ code: "InvalidRecord", attempts: [] });
    await put("words", "k");
    await producer.close();
    await expect(put("words", "k")).rejects.toMatchObject({ code: "Closed" });
  });

  it("keeps records on disk with spill, and the next producer stores them", async () => {
    const spill = await temporaryFolder();
    const refusing = await kinesisFor({
      before: () => ({ type: "error", name: "KMSDisabledException" }),
    });
    const first = new Producer({ stream: "words", endpoint: refusing.url, spill });
    const data = Buffer.from("cat");
    const put = first.put({ partitionKey: "pets", data });
    // The payload was copied.
    data.fill(0);
    const failed = expect(put).rejects.toMatchObject({ code: "NotStored" });
    await until("the first attempt", () => refusing.calls() > 0);
    const second = new Producer({ stream: "words", endpoint: refusing.url, spill });
    await expect(second.put({ partitionKey: "pets", data: "dog" })).rejects.toThrow(
      /used by another producer/,
    );
    await second.close();
    expect(await first.close({ timeoutMs: 0 })).toBe(1);
    await failed;
    const kinesis = await kinesisFor();
    const events: string[] = [];
    const third = new Producer({
      stream: "words",
      endpoint: kinesis.url,
      spill,
      onEvent: ({ type }) => events.push(type),
    });
    await third.put({ partitionKey: "pets", data: "bird" });
    await third.close();
    const read = userRecords(kinesis.stored).map(({ data: each }) => String(each));
    expect(read).toEqual(["cat", "bird"]);
    expect(events).toContain("spillRecovered");
    expect(await readdir(spill)).toEqual([]);
  });
});
