// Puts records: node drive.mjs HOW ENDPOINT BYTES WARM_UP RECORDS PER_SECOND MOST_OUTSTANDING
//
// HOW is the path of our library, or `sdk`: PutRecords of 500 records each, without aggregation. It
// puts WARM_UP records, writes `begin` and waits for a byte on STDIN. Then it puts RECORDS, writes
// `end` and the number of records that failed, and stays until STDIN ends. PER_SECOND is 0 for as
// fast as possible. Each record begins with its time, as go/fakeputs expects.

import { setTimeout as sleep } from "node:timers/promises";

const [how, endpoint, ...numbers] = process.argv.slice(2);
const [bytes, warmUp, records, perSecond, mostOutstanding] = numbers.map(Number);
const KEYS = 100_000;
const LOOK_EVERY = 100;
const BYTES_OF_A_RECORD = 256;

const payload = Buffer.alloc(bytes);

function stamped() {
  const data = Buffer.from(payload);
  data.writeBigUInt64BE(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)));
  return data;
}

async function ours() {
  const { Producer } = await import(how);
  const producer = new Producer({
    stream: "bench",
    region: "us-east-1",
    endpoint,
    credentials: [{ type: "environment" }],
    maxInFlightBytes: mostOutstanding * (bytes + BYTES_OF_A_RECORD),
  });
  return {
    put: (partitionKey, data) => producer.put({ partitionKey, data }),
    ready: () => producer.ready(),
    flush: () => producer.flush(),
  };
}

async function sdk() {
  const { KinesisClient, PutRecordsCommand } = await import("@aws-sdk/client-kinesis");
  const { NodeHttpHandler } = await import("@smithy/node-http-handler");
  const client = new KinesisClient({
    region: "us-east-1",
    endpoint,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: new NodeHttpHandler(),
  });
  const CALLS = 24;
  const waiting = [];
  const calls = new Set();
  const send = () => {
    const some = waiting.splice(0, 500);
    const Records = some.map(({ partitionKey: PartitionKey, data: Data }) => ({
      PartitionKey,
      Data,
    }));
    const call = client.send(new PutRecordsCommand({ StreamName: "bench", Records })).then(
      ({ Records: results = [] }) => {
        calls.delete(call);
        for (const [i, { resolve, reject }] of some.entries()) {
          if (results[i]?.ErrorCode) reject(new Error(results[i].ErrorCode));
          else resolve();
        }
      },
      (error) => {
        calls.delete(call);
        for (const { reject } of some) reject(error);
      },
    );
    calls.add(call);
  };
  return {
    put: (partitionKey, data) =>
      new Promise((resolve, reject) => {
        waiting.push({ partitionKey, data, resolve, reject });
        if (waiting.length === 500) send();
        else if (waiting.length === 1) setTimeout(() => waiting.length > 0 && send(), 100);
      }),
    ready: async () => {
      while (calls.size >= CALLS) await Promise.race(calls);
    },
    flush: async () => {
      if (waiting.length > 0) send();
      await Promise.all(calls);
    },
  };
}

const producer = await (how === "sdk" ? sdk() : ours());
let failed = 0;
let outstanding = 0;
const stored = () => {
  outstanding -= 1;
};
const refused = () => {
  outstanding -= 1;
  failed += 1;
};

async function put(count) {
  const startedMs = performance.now();
  for (let i = 0; i < count; i += 1) {
    if (perSecond > 0) {
      const restMs = startedMs + (i * 1000) / perSecond - performance.now();
      if (restMs >= 1) await sleep(restMs);
    }
    if (i % LOOK_EVERY === 0) await producer.ready();
    outstanding += 1;
    producer.put(`key-${i % KEYS}`, stamped()).then(stored, refused);
  }
  await producer.flush();
  while (outstanding > 0) await sleep(1);
}

const input = process.stdin[Symbol.asyncIterator]();
await put(warmUp);
console.log("begin");
await input.next();
await put(records);
console.log(`end ${failed}`);
await input.next();
process.exit(0);
