import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadProducer } from "../../src/config/producer/loadProducer.ts";

async function fileOf(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "producer-")), "p.properties");
  await writeFile(file, text);
  return file;
}

describe("the configuration of a producer", () => {
  it("has the KPL's defaults, except where ours are safer", () => {
    expect(loadProducer({}).values).toMatchObject({
      aggregationMaxSize: 51_200,
      aggregationMaxCount: 4_294_967_295,
      collectionMaxCount: 500,
      recordMaxBufferedTime: 100,
      rateLimit: 100,
      ordering: "key",
      onPermanentError: "fail",
    });
    expect(loadProducer({}).values.recordTtl).toBeUndefined();
  });

  it("accepts the KPL's sample file as it is, with its semicolon", async () => {
    const file = await fileOf(
      "AggregationEnabled = true\nMaxUserRecordSize = 1048576;\nRecordTtl = 30000\nThreadingModel = POOLED\nRegion = us-west-1\n",
    );
    const { values, service, warnings } = loadProducer({ file });
    expect(values).toMatchObject({ maxUserRecordSize: 1_048_576, recordTtl: 30_000 });
    expect(service.region).toBe("us-west-1");
    expect(warnings.map(({ key, message }) => `${key}: ${message}`)).toEqual([
      "MaxUserRecordSize: the semicolon at the end is ignored; the KPL refuses to start with it",
      "ThreadingModel: has no effect: there are no threads",
    ]);
  });

  it("accepts our spelling, and a value near the end of Java's long", async () => {
    const file = await fileOf("recordTtl = 9223372036854775807\nordering = none\n");
    const { values } = loadProducer({ file });
    expect(values).toMatchObject({ recordTtl: Number.MAX_SAFE_INTEGER, ordering: "none" });
  });

  it("reports every problem with its line", async () => {
    const file = await fileOf("CollectionMaxCount = 501\nRecordTtl = 99\nOrdering = all\n");
    const load = () => loadProducer({ file });
    expect(load).toThrow(
      /:1: CollectionMaxCount: found "501"; allowed: a whole number from 1 to 500/,
    );
    expect(load).toThrow(
      /:2: RecordTtl: found "99"; allowed: a whole number of milliseconds from 100/,
    );
    expect(load).toThrow(/:3: Ordering: found "all"; allowed: key, none/);
  });

  it("lets flags override the file", async () => {
    const file = await fileOf("streamName = a\nKinesisEndpoint = localhost\nKinesisPort = 4567\n");
    expect(loadProducer({ file }).service.endpoint).toBe("https://localhost:4567");
    const flags = { streamName: "b", kinesisEndpoint: "http://127.0.0.1:1" };
    const { values, service } = loadProducer({ file, flags });
    expect([values.streamName, service.endpoint]).toEqual(["b", "http://127.0.0.1:1"]);
  });

  it("never gives up a record that is kept on disk", () => {
    expect(loadProducer({ flags: { spill: "d" } }).values.onPermanentError).toBe("wait");
    const both = { spill: "d", onPermanentError: "fail" };
    expect(() => loadProducer({ flags: both })).toThrow(/onPermanentError: .*use wait/);
  });
});
