// Reads all records of the fake Kinesis's shards, with one connection per shard, and discards them.
// With "pipe" it writes the same number of bytes that a child of the daemon would read to one `cat`
// per shard, which discards them. Writes its CPU time to STDOUT.
//
//   node read.mjs URL SHARDS LIMIT [pipe]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connection, post } from "./post.mjs";

const [url, shards, limit, pipe] = process.argv.slice(2);
/**
 * How many bytes a record gains on its way to the child: two more fields, without one of the
 * service's.
 */
const GAIN_BYTES = 50;
/** The fake Kinesis starts each response with these. */
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
