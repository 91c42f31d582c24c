// Polls empty shards in the rhythm of an idle daemon, eight at a time. Over one more connection it
// makes as many small calls as the daemon makes to DynamoDB. It runs until it is ended.
//
//   node idle.mjs URL SHARDS
import { connection, post } from "./post.mjs";

const [url, shards] = process.argv.slice(2);
const TOGETHER = 8;
/** The mean interval between two polls of a shard. */
const POLL_MS = 1_150;
/** How often a lease is renewed, and the lease table scanned, with KCL's failover time of 10 s. */
const RENEWAL_MS = 3_308;
const LOOK_MS = 700;

const nothing = () => {};

const groups = Math.ceil(Number(shards) / TOGETHER);
for (let group = 0; group < groups; group += 1) {
  const first = group * TOGETHER;
  const count = Math.min(TOGETHER, Number(shards) - first);
  const agents = Array.from({ length: count }, connection);
  const poll = () => {
    agents.forEach((agent, i) => {
      void post(
        url,
        agent,
        "GetRecords",
        { ShardIterator: `${first + i}/0/0`, Limit: 10_000 },
        nothing,
      );
    });
  };
  setTimeout(() => setInterval(poll, POLL_MS), (group * POLL_MS) / groups);
}
const table = connection();
const call = () => post(url, table, "DescribeStreamSummary", { StreamName: "bench" }, nothing);
setInterval(call, RENEWAL_MS / Number(shards));
setInterval(call, LOOK_MS);
