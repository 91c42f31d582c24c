// Reads all records of the fake Kinesis's shards and discards them. Each response becomes one
// buffer, which is used again, as the daemon needs it. The connections are our own, or those of
// undici's dispatcher, which must copy. Writes its CPU time to STDOUT.
//
//   node connections.mjs own|undici URL SHARDS LIMIT
import { Pool } from "undici";
import { KeptConnections } from "../../../.cache/js/aws/connections/keptConnections.js";

const [kind, url, shards, limit] = process.argv.slice(2);
const { host, hostname, port, protocol } = new URL(url);
const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** The fake Kinesis starts each response with these. */
const HEAD = /^\{"MillisBehindLatest":(\d+),"NextShardIterator":"([^"]+)"/;

const request = (body) => ({
  method: "POST",
  path: "/",
  headers: {
    host,
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": "Kinesis_20131202.GetRecords",
    "content-length": String(Buffer.byteLength(body)),
  },
  body,
});

function reused() {
  let spare = Buffer.alloc(0);
  return (bytes) => {
    if (spare.length < bytes) spare = Buffer.allocUnsafe(bytes);
    return spare;
  };
}

function own() {
  const connections = new KeptConnections({
    maxConnections: 1,
    connectTimeoutMs: TIMEOUT_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    allocate: reused(),
  });
  return {
    post: async (body) => {
      const sent = { protocol, hostname, port: Number(port), ...request(body) };
      return (await connections.handle(sent)).response.body;
    },
    close: () => connections.destroy(),
  };
}

function undici() {
  const pool = new Pool(url, { connections: 1 });
  const allocate = reused();
  const post = (body) =>
    new Promise((resolve, reject) => {
      let buffer;
      let length = 0;
      pool.dispatch(request(body), {
        onRequestStart() {},
        onResponseStart(_controller, _status, headers) {
          buffer = allocate(Number(headers["content-length"]));
        },
        onResponseData(_controller, piece) {
          piece.copy(buffer, length);
          length += piece.length;
        },
        onResponseEnd: () => resolve(buffer.subarray(0, length)),
        onResponseError: (_controller, error) => reject(error),
      });
    });
  return { post, close: () => pool.destroy() };
}

async function readShard(shard) {
  const { post, close } = kind === "own" ? own() : undici();
  let iterator = `${shard}/0/0`;
  for (let behind = 1; behind > 0; ) {
    const body = await post(JSON.stringify({ ShardIterator: iterator, Limit: Number(limit) }));
    [, behind, iterator] = HEAD.exec(body.toString("latin1", 0, 300));
    behind = Number(behind);
  }
  await close();
}

const before = process.cpuUsage();
const beganMs = performance.now();
await Promise.all(Array.from({ length: Number(shards) }, (_, shard) => readShard(shard)));
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - beganMs) / 1000;
console.log(JSON.stringify({ cpu: (user + system) / 1e6, seconds }));
