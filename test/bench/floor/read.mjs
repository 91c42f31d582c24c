// Reads all records of the fake Kinesis's shards, one connection a shard, and throws them away; with "pipe" it writes as
// many bytes as a child of the daemon would read to one `cat` a shard, which throws them away. Writes its CPU to STDOUT.
//
//   node read.mjs URL SHARDS LIMIT [pipe]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connection, post } from "./post.mjs";

const [url, shards, limit, pipe] = process.argv.slice(2);
/** What a record gains on its way to the child: two names with their values, without one of the service's. */
const GAIN_BYTES = 50;
/** The fake Kinesis begins each answer with these. */
const HEAD = /^\{"MillisBehindLatest":(\d+),"NextShardIterator":"([^"]+)"/;

const gain = Buffer.alloc(GAIN_BYTES * Number(limit), " ");

async function readShard(shard) {
  const agent = connection();
  const child = pipe && spawn("cat", [], { stdio: ["pipe", "ignore", "inherit"] });
  let iterator = `${shard}/0/0`;
  for (let behind = 1; behind > 0; ) {
    let head;
    await post(
      url,
      agent,
      "GetRecords",
      { ShardIterator: iterator, Limit: Number(limit) },
      (piece) => {
        head ??= HEAD.exec(piece.toString("latin1", 0, 300));
        child?.stdin.write(piece);
      },
    );
    [, behind, iterator] = head;
    behind = Number(behind);
    if (child && !child.stdin.write(gain)) await once(child.stdin, "drain");
  }
  child?.stdin.end();
  if (child) await once(child, "exit");
  agent.destroy();
}

const before = process.cpuUsage();
const beganMs = performance.now();
await Promise.all(Array.from({ length: Number(shards) }, (_, shard) => readShard(shard)));
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - beganMs) / 1000;
console.log(JSON.stringify({ cpu: (user + system) / 1e6, seconds }));
