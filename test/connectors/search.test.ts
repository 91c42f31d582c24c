// Documents in a real OpenSearch, and the answers that it gives only at bad times, by a server that
// answers at will.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { connectorSchema } from "../../src/config/connector/connectorKeys.ts";
import { verdictOf } from "../../src/connectors/emitters/bulk.ts";
import { openSearch } from "../../src/connectors/emitters/search.ts";
import { propertiesFile, runDaemon } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { type OpenSearch, openSearchOrReason } from "../support/openSearch.ts";
import type { Missing } from "../support/python.ts";

/** A busy machine takes long to start a daemon and its children. */
const LIMIT_MS = 120_000;

let node: OpenSearch | Missing;
beforeAll(async () => {
  node = await openSearchOrReason();
}, 600_000);
afterAll(async () => {
  if ("url" in node) await node.stop();
});

const never = new AbortController().signal;
const recordOf = (number: number) => ({
  shardId: "shardId-0",
  sequenceNumber: String(number),
  subSequenceNumber: 0,
  partitionKey: "key",
  approximateArrivalTimestamp: Date.UTC(2026, 2, 4),
  data: "",
});

function opened(url: string, properties: Readonly<Record<string, string>> = {}) {
  return openSearch(connectorSchema.parse({ elasticsearchEndpoint: url, ...properties }));
}

async function ask(url: string, path: string) {
  await fetch(`${url}/_refresh`, { method: "POST" });
  return JSON.parse(await (await fetch(`${url}${path}`)).text());
}

describe("a document in OpenSearch", { timeout: 300_000 }, () => {
  it("has the index of its record, an id that repeats, and its source", async (test) => {
    if ("missing" in node) return test.skip(node.missing);
    const { url } = node;
    const index = "clicks-{json:kind}-{time:yyyy.MM}";
    const emitter = opened(url, { elasticsearchDefaultIndexName: index, compression: "gzip" });
    await emitter.check();
    const items = [1, 2].map((n) => emitter.toItem({ n, kind: "a" }, recordOf(n), 0));
    expect(await emitter.emit(items, never)).toEqual({ again: [], refused: [] });
    expect(await emitter.emit(items, never)).toEqual({ again: [], refused: [] });
    const { hits } = await ask(url, "/clicks-a-2026.03/_search");
    expect(hits.total.value).toBe(2);
    expect(hits.hits[0]).toMatchObject({ _id: "shardId-0:1:0", _source: { n: 1, kind: "a" } });
  });

  it("that does not fit the mapping is refused alone", async (test) => {
    if ("missing" in node) return test.skip(node.missing);
    const emitter = opened(node.url, { elasticsearchDefaultIndexName: "mapped" });
    const items = [{ n: 1 }, { n: "many" }, { n: 3 }].map((object, index) =>
      emitter.toItem(object, recordOf(index), 0),
    );
    const { again, refused } = await emitter.emit(items, never);
    expect(again).toEqual([]);
    expect(refused).toEqual([
      { item: items[1], reason: expect.stringContaining("mapper_parsing_exception") },
    ]);
    expect((await ask(node.url, "/mapped/_count")).count).toBe(2);
  });

  it("that is created again is done, and an older version does not replace a newer one", async (test) => {
    if ("missing" in node) return test.skip(node.missing);
    const created = opened(node.url, {
      elasticsearchDefaultIndexName: "created",
      documentAction: "create",
    });
    const items = [created.toItem({ n: 1 }, recordOf(1), 0)];
    await created.emit(items, never);
    expect(await created.emit(items, never)).toEqual({ again: [], refused: [] });
    const versioned = opened(node.url, {
      elasticsearchDefaultIndexName: "versioned",
      documentId: "{json:id}",
      documentVersion: "v",
    });
    for (const v of [5, 4]) {
      const item = versioned.toItem({ id: "x", v }, recordOf(v), 0);
      expect(await versioned.emit([item], never)).toEqual({ again: [], refused: [] });
    }
    expect((await ask(node.url, "/versioned/_doc/x"))._source.v).toBe(5);
  });

  it("comes from a stream by a file of the Kinesis Connector Library", async (test) => {
    if ("missing" in node) return test.skip(node.missing);
    const stream = await createStream("search", 1);
    await put(stream, ['{"n":1}', '{"n":2}']);
    const [, port = ""] = /:(\d+)$/.exec(node.url) ?? [];
    const file = await propertiesFile({
      kinesisEndpoint: inject("kinesisUrl"),
      dynamoDBEndpoint: inject("dynamoUrl"),
      regionName: "us-east-1",
      appName: stream,
      kinesisInputStream: stream,
      bufferRecordCountLimit: 2,
      elasticSearchEndpoint: "localhost",
      elasticsearchPort: port,
      elasticsearchDefaultIndexName: stream,
      retrievalMode: "POLLING",
    });
    const daemon = await runDaemon(["connect", "-p", file]);
    const { url } = node;
    const isThere = async () => (await ask(url, `/${stream}/_count`)).count === 2;
    await until("both documents", isThere, LIMIT_MS);
    process.kill(daemon.pid, "SIGTERM");
    expect(await daemon.ended).toBe(0);
  });
});

describe("an answer for an item", () => {
  it.each([
    [200, "", false, "stored"],
    [201, "", false, "stored"],
    [409, "version_conflict_engine_exception", true, "stored"],
    [409, "version_conflict_engine_exception", false, "again"],
    [429, "es_rejected_execution_exception", false, "again"],
    [429, "cluster_block_exception", false, "again"],
    [403, "cluster_block_exception", false, "setup"],
    [403, "security_exception", false, "setup"],
    [404, "index_not_found_exception", false, "setup"],
    [503, "unavailable_shards_exception", false, "again"],
    [500, "circuit_breaking_exception", false, "again"],
    [400, "mapper_parsing_exception", false, "refused"],
    [400, "strict_dynamic_mapping_exception", false, "refused"],
    [413, "", false, "refused"],
  ] as const)("%i %s (idempotent: %s) means %s", (status, type, isIdempotent, expected) => {
    expect(verdictOf({ status, error: { type } }, isIdempotent)).toBe(expected);
  });
});

describe("a request", () => {
  it("carries credentials, is halved when it is too large, and waits for permission", async () => {
    const seen: { authorization: unknown; lines: number }[] = [];
    let isAllowed = true;
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part);
      const isZipped = request.headers["content-encoding"] === "gzip";
      const body = isZipped ? gunzipSync(Buffer.concat(parts)) : Buffer.concat(parts);
      const lines = body.toString().split("\n").length - 1;
      seen.push({ authorization: request.headers.authorization, lines });
      if (!isAllowed) {
        response.writeHead(403).end("no permission");
        return;
      }
      if (lines > 4 || body.includes("large")) {
        response.writeHead(413).end("too large");
        return;
      }
      const items = Array.from({ length: lines / 2 }, () => ({ index: { status: 201 } }));
      response.writeHead(200).end(JSON.stringify({ items }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const login = { elasticsearchUsername: "ann", elasticsearchPassword: "secret" };
    const emitter = opened(url, { ...login, compression: "gzip" });
    const items = ["a", "b", "large", "d"].map((name, index) =>
      emitter.toItem({ name }, recordOf(index), 0),
    );
    const { again, refused } = await emitter.emit(items, never);
    expect([again, refused]).toEqual([[], [{ item: items[2], reason: "413: too large" }]]);
    const basic = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
    expect(seen).toEqual([8, 4, 4, 2, 2].map((lines) => ({ authorization: basic, lines })));
    isAllowed = false;
    await expect(emitter.emit(items, never)).rejects.toMatchObject({ kind: "configuration" });
    await expect(emitter.check()).rejects.toThrow("403: no permission");
  });
});
