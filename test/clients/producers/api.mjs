// Calls everything of the Node producer and writes what it receives; see producerClient.ts.

import { Producer, RecordFailed } from "../../../clients/node/producer.mjs";

const socket = process.env.PRODUCER_SOCKET;
const producer = new Producer({
  options: ["--ignored"],
  ...(socket !== undefined && { socket }),
});
const data = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const record = {
  partitionKey: "k",
  data,
  explicitHashKey: String(2n ** 127n),
  stream: "words",
};
const puts = Array.from({ length: 20 }, () => producer.put(record));
await producer.ready();
const flushed = await producer.flush({ timeoutMs: 30_000 });
const results = await Promise.all(puts);
const received = await producer.getMetrics({ name: "UserRecordsReceived" });
const failed = await failure("");
const totals = await producer.close();
const attempts = results.flatMap((result) => result.attempts);
console.log(
  JSON.stringify({
    shards: [...new Set(results.map(({ shardId }) => shardId))],
    attempts: [...new Set(attempts.map(({ success }) => success))],
    flushed,
    received: received
      .filter(({ dimensions }) => Object.keys(dimensions).length === 0)
      .reduce((total, { sum }) => total + sum, 0),
    failed,
    afterClose: await failure("k"),
    totals: Object.values(totals),
  }),
);

async function failure(partitionKey) {
  return producer.put({ partitionKey, data: "text" }).catch((error) => {
    return error instanceof RecordFailed ? error.code : String(error);
  });
}
