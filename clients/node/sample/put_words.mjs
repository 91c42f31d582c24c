// Puts records from STDIN, one per line: a partition key, a tab and a text. It writes one line for
// each record to STDOUT, in the same order, as soon as its outcome is known: `stored SHARD_ID
// SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER` or `failed ERROR`. Its arguments are options of
// `kinesis-multilang produce`, such as `--stream words`.

import { Producer } from "../producer.mjs";

const producer = new Producer({ options: process.argv.slice(2) });
await producer.ready();
let reported = Promise.resolve();
try {
  for await (const line of lines(process.stdin.setEncoding("utf8"))) {
    const tab = line.indexOf("\t");
    const record = { partitionKey: line.slice(0, tab), data: line.slice(tab + 1) };
    const outcome = producer.put(record).then(describe, fail);
    reported = reported.then(async () => console.log(await outcome));
    await producer.ready();
  }
  await producer.flush();
  await producer.close();
} finally {
  await reported;
}

function describe({ shardId, sequenceNumber, subSequenceNumber }) {
  return `stored ${shardId} ${sequenceNumber} ${subSequenceNumber}`;
}

function fail({ code }) {
  process.exitCode = 1;
  return `failed ${code}`;
}

/** Lines end at LF alone: `readline` would also end them at U+2028. */
async function* lines(input) {
  let rest = "";
  for await (const chunk of input) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop();
    yield* parts;
  }
  if (rest !== "") yield rest;
}
