// The processor of the chaos run. It writes down each record before it does anything else, and
// every response to a checkpoint. Each process has its own file, so no two write to one. Times come
// from the machine's monotonic clock. With SABOTAGE=lose|reorder|repeat it lies, to test the
// checker.
import { openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { JOURNAL_DIR, SABOTAGE, KINESIS_MULTILANG_WORKER_ID: worker } = process.env;
const { KINESIS_MULTILANG_LANE: lane, KINESIS_MULTILANG_ATTEMPT: attempt } = process.env;
const POISON_EXIT_CODE = 13;
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const startedAt = now();
const chance = (share) => Math.random() < share;
const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

let file;
const note = (entry) => writeSync(file, `${JSON.stringify({ t: now(), ...entry })}\n`);
const send = (message) => process.stdout.write(`\n${JSON.stringify(message)}\n`);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const readMessage = async () => {
  const { value, done } = await lines.next();
  return done ? undefined : JSON.parse(value);
};

/**
 * @returns the error's name, `null` if the checkpoint is stored, or `undefined` if STDIN has ended.
 */
async function checkpoint({ sequenceNumber = null, subSequenceNumber = null } = {}) {
  const asked = now();
  send({ action: "checkpoint", sequenceNumber, subSequenceNumber });
  const answer = await readMessage();
  if (answer) note({ is: "checkpoint", asked, upTo: last, error: answer.error });
  return answer?.error;
}

let last;
let ended = false;

const place = ({ sequenceNumber, subSequenceNumber }) =>
  `${sequenceNumber}#${subSequenceNumber ?? 0}`;

function work(record) {
  const { data, partitionKey } = record;
  const text = Buffer.from(data, "base64").toString();
  const [n, poison] = text.split(" ");
  last = place(record);
  if (SABOTAGE === "lose" && chance(0.01)) return;
  note({ is: "record", key: partitionKey, n: Number(n), seq: last, poison });
  if (SABOTAGE === "repeat" && chance(0.01)) {
    note({ is: "record", key: partitionKey, n: Number(n), seq: last });
  }
  if (poison) process.exit(POISON_EXIT_CODE);
  if (chance(0.3)) pause(1);
}

for (let message = await readMessage(); message; message = await readMessage()) {
  const { action } = message;
  if (action === "initialize") {
    const { shardId } = message;
    const from = place(message);
    file = openSync(join(JOURNAL_DIR, `${shardId}.${process.pid}.${startedAt}.jsonl`), "a", 0o600);
    const facts = { pid: process.pid, daemon: process.ppid, worker, attempt: Number(attempt) };
    note({ is: "life", startedAt, shardId, from, ...facts, ...(lane && { lane: Number(lane) }) });
  } else if (action === "processRecords") {
    const { records } = message;
    if (SABOTAGE === "reorder" && chance(0.2)) records.reverse();
    for (const [index, record] of records.entries()) {
      work(record);
      if (index < records.length - 1 && chance(0.02)) await checkpoint(record);
    }
    // Sometimes a batch has no checkpoint, as with processors that checkpoint once per minute.
    if (chance(0.8)) await checkpoint();
  } else {
    note({ is: "received", action });
    ended = action === "shardEnded";
    if (ended) last = "SHARD_END#0";
    if (action !== "leaseLost") await checkpoint();
  }
  send({ action: "status", responseFor: action });
}
if (file !== undefined) note({ is: "end" });
