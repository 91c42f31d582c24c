// The requests of the client over many calls. What it caches between calls must not become stale.

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { kinesisClient } from "../../src/aws/kinesisClient.ts";
import { systemClock } from "../../src/clock.ts";
import { GetRecords } from "../../src/stream/calls/kinesisCalls.ts";

const received: IncomingHttpHeaders[] = [];
/** The number of calls that get no response. */
let silent = 0;

const service = createServer((request, response) => {
  received.push(request.headers);
  request.resume();
  if (silent > 0) silent -= 1;
  else response.end('{"Records":[],"NextShardIterator":"next","MillisBehindLatest":0}');
});

let endpoint = "";
beforeAll(async () => {
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  endpoint = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
});
afterAll(() => service.closeAllConnections());
beforeEach(() => received.splice(0));

/** Credentials that expire after one use. */
function shortLived() {
  let made = 0;
  return async () => {
    made += 1;
    return {
      accessKeyId: `KEY${made}`,
      secretAccessKey: `secret ${made}`,
      expiration: new Date(Date.now() - 1),
    };
  };
}

function recordsOf({ requestTimeoutMs = 30_000 } = {}) {
  const client = kinesisClient({
    endpoint,
    region: "us-east-1",
    credentials: shortLived(),
    maxAttempts: 1,
  });
  return new GetRecords({ client, clock: systemClock, requestTimeoutMs }, "shardId-000000000000");
}

const call = (getRecords: GetRecords, signal = new AbortController().signal) =>
  getRecords.call("an iterator", 10, undefined, signal);

test("signs each call with the current credentials", async () => {
  const getRecords = recordsOf();
  for (let i = 0; i < 3; i += 1) await call(getRecords);
  const keys = received.map(
    ({ authorization }) => /Credential=(\w+)/.exec(authorization ?? "")?.[1],
  );
  expect(new Set(keys).size).toBe(3);
});

test("sends its user agent", async () => {
  await call(recordsOf());
  expect(received[0]?.["user-agent"]).toMatch(/^kinesis-multilang\/\d+\.\d+\.\d+ md\/nodejs#\d+/);
});

test("makes a call after one without a response, and after an aborted one", async () => {
  const getRecords = recordsOf({ requestTimeoutMs: 200 });
  silent = 1;
  await expect(call(getRecords)).rejects.toThrow("did not respond to GetRecords within 200 ms");
  expect((await call(getRecords)).nextShardIterator).toBe("next");
  silent = 1;
  const stop = new AbortController();
  const aborted = call(getRecords, stop.signal);
  stop.abort();
  await expect(aborted).rejects.toThrow();
  silent = 0;
  expect((await call(getRecords)).nextShardIterator).toBe("next");
});
