// Runs Lambda functions of every style under the real client, with the daemon's messages given.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { kcl } from "../kcl.mjs";
import { InvocationError, lambdaProcessor } from "../lambda.mjs";

const record = (sequenceNumber, subSequenceNumber = 0) => ({
  data: "Y2F0",
  partitionKey: "key",
  sequenceNumber,
  approximateArrivalTimestamp: 1545084650987,
  subSequenceNumber,
  action: "record",
});
const INITIALIZE = {
  action: "initialize",
  shardId: "shardId-000000000006",
  sequenceNumber: "LATEST",
  subSequenceNumber: 0,
};
const process3 = {
  action: "processRecords",
  records: ["1", "2", "3"].map((at) => record(at)),
  millisBehindLatest: 0,
};
const ACK = { action: "checkpoint", sequenceNumber: null, subSequenceNumber: null, error: null };
const text = (messages) => messages.map((message) => `${JSON.stringify(message)}\n`).join("");

async function play(handler, messages, options) {
  const [input, output, error] = [new PassThrough(), new PassThrough(), new PassThrough()];
  input.end(text(messages));
  const running = kcl(lambdaProcessor(handler, options), input, output, error).run();
  const failure = await running.then(
    () => undefined,
    (reason) => reason,
  );
  const lines = (output.read() ?? "")
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  return { failure, written: lines.map((line) => JSON.parse(line)) };
}

const checkpoint = (sequenceNumber = null, subSequenceNumber = null) => ({
  action: "checkpoint",
  sequenceNumber,
  subSequenceNumber,
});
const status = (responseFor) => ({ action: "status", responseFor });
const SUCCESS = [status("initialize"), checkpoint(), status("processRecords")];

test("the event has the documented shape", async () => {
  const events = [];
  const streamArn = "arn:aws:kinesis:eu-west-1:123456789012:stream/words";
  const one = { ...process3, records: [record("49", 0)] };
  await play(async (event) => void events.push(event), [INITIALIZE, one, ACK], { streamArn });
  assert.deepEqual(events, [
    {
      Records: [
        {
          kinesis: {
            kinesisSchemaVersion: "1.0",
            partitionKey: "key",
            sequenceNumber: "49",
            data: "Y2F0",
            approximateArrivalTimestamp: 1545084650.987,
          },
          eventSource: "aws:kinesis",
          eventVersion: "1.0",
          eventID: "shardId-000000000006:49",
          eventName: "aws:kinesis:record",
          invokeIdentityArn: "arn:aws:iam::000000000000:role/kinesis-multilang",
          awsRegion: "eu-west-1",
          eventSourceARN: streamArn,
        },
      ],
    },
  ]);
});

test("the context has the remaining time, and a new request id for each invocation", async () => {
  const seen = [];
  const handler = async (_event, context) =>
    void seen.push([
      context.awsRequestId,
      context.getRemainingTimeInMillis(),
      context.functionName,
    ]);
  await play(handler, [INITIALIZE, process3, ACK], {
    batchSize: 2,
    timeoutMs: 60_000,
    functionName: "words",
  });
  assert.equal(seen.length, 2);
  assert.notEqual(seen[0][0], seen[1][0]);
  for (const [id, remaining, name] of seen) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    assert.ok(remaining > 0 && remaining <= 60_000);
    assert.equal(name, "words");
  }
});

const succeeding = {
  async: async () => "ok",
  "async, empty list of failures": async () => ({ batchItemFailures: [] }),
  "async, null": async () => null,
  "async, null list": async () => ({ batchItemFailures: null }),
  callback: (_event, _context, callback) => void setImmediate(() => callback(null, {})),
  "context.done": (_event, context) => void setImmediate(() => context.done()),
  "context.succeed": (_event, context) => void context.succeed(),
};
for (const [style, handler] of Object.entries(succeeding)) {
  test(`success, ${style}: the whole batch is checkpointed`, async () => {
    const { written, failure } = await play(handler, [INITIALIZE, process3, ACK]);
    assert.equal(failure, undefined);
    assert.deepEqual(written, SUCCESS);
  });
}

const failing = {
  throw: () => {
    throw new Error("no");
  },
  rejection: async () => {
    throw new Error("no");
  },
  callback: (_event, _context, callback) => callback(new Error("no")),
  "callback with text": (_event, _context, callback) => callback("no"),
  "context.fail": (_event, context) => context.fail(new Error("no")),
};
for (const [style, handler] of Object.entries(failing)) {
  test(`failure, ${style}: nothing is checkpointed and the process ends`, async () => {
    const { written, failure } = await play(handler, [INITIALIZE, process3]);
    assert.ok(failure instanceof InvocationError);
    assert.match(failure.message, /the function failed: no/);
    assert.deepEqual(written, [status("initialize")]);
  });
}

test("failed items: checkpoint before the lowest, then the process ends", async () => {
  const items = ["3", "2"].map((itemIdentifier) => ({ itemIdentifier }));
  const { written, failure } = await play(
    async () => ({ batchItemFailures: items }),
    [INITIALIZE, process3, ACK],
  );
  assert.ok(failure instanceof InvocationError);
  assert.match(failure.message, /will be delivered again from 2/);
  assert.deepEqual(written, [status("initialize"), checkpoint("1", 0)]);
});

test("failed items: the records of an aggregate stay together", async () => {
  const records = [record("1", 0), record("1", 1), record("2", 0), record("2", 1)];
  const handler = async () => ({ batchItemFailures: [{ itemIdentifier: "2" }] });
  const { written } = await play(handler, [INITIALIZE, { ...process3, records }, ACK]);
  assert.deepEqual(written[1], checkpoint("1", 1));
});

for (const batchItemFailures of [
  [{ itemIdentifier: "1" }],
  [{ itemIdentifier: "9" }],
  [{ itemIdentifier: "" }],
  [{}],
  [null],
  "2",
]) {
  test(`failed items ${JSON.stringify(batchItemFailures)}: the whole batch is delivered again`, async () => {
    const { written, failure } = await play(
      async () => ({ batchItemFailures }),
      [INITIALIZE, process3],
    );
    assert.ok(failure instanceof InvocationError);
    assert.deepEqual(written, [status("initialize")]);
  });
}

test("a failure in a later part of a batch keeps the parts before it", async () => {
  const handler = async (event) => {
    if (event.Records[0].kinesis.sequenceNumber === "3") throw new Error("no");
  };
  const { written } = await play(handler, [INITIALIZE, process3, ACK], { batchSize: 2 });
  assert.deepEqual(written, [status("initialize"), checkpoint("2", 0)]);
});

test("a function that takes too long has failed", async () => {
  const hangs = () => new Promise((resolve) => setTimeout(resolve, 30_000).unref());
  const alive = setInterval(() => {}, 1000);
  try {
    const { failure } = await play(hangs, [INITIALIZE, process3], { timeoutMs: 5 });
    assert.match(failure.message, /no answer within 5 ms/);
  } finally {
    clearInterval(alive);
  }
});

test("a lost lease is not a failure of the function", async () => {
  const { written, failure } = await play(async () => {}, [
    INITIALIZE,
    process3,
    { ...ACK, error: "ShutdownException" },
    { action: "leaseLost" },
  ]);
  assert.equal(failure, undefined);
  assert.deepEqual(written, [...SUCCESS, status("leaseLost")]);
});

test("shard end and requested shutdown checkpoint", async () => {
  for (const action of ["shardEnded", "shutdownRequested"]) {
    const { written } = await play(async () => {}, [INITIALIZE, { action }, ACK]);
    assert.deepEqual(written, [status("initialize"), checkpoint(), status(action)]);
  }
});

/**
 * Starts lambda.mjs like the daemon, with a function in a separate folder. STDIN ends when the
 * batch is answered, as under the daemon, or after the messages when it never is.
 */
async function runFile(source, messages, name = "index.handler", answers = false) {
  const folder = await mkdtemp(join(tmpdir(), "lambda-"));
  try {
    await writeFile(join(folder, "index.cjs"), source);
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("../lambda.mjs", import.meta.url)), name],
      { cwd: folder },
    );
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"])
      child[stream].on("data", (chunk) => {
        output[stream] += chunk;
        if (output.stdout.includes('"responseFor":"processRecords"')) child.stdin.end();
      });
    child.stdin.on("error", () => {});
    child.stdin.write(text(messages));
    if (!answers) child.stdin.end();
    const code = await new Promise((resolve) => child.on("close", resolve));
    return {
      code,
      ...output,
      written: output.stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("as a program: a function's prints, at load too, stay off STDOUT", async () => {
  const { code, written, stderr } = await runFile(
    "console.log('loading'); exports.handler = async (event) => { console.log(event.Records.length); };",
    [INITIALIZE, process3, ACK],
  );
  assert.deepEqual([code, written], [0, SUCCESS]);
  assert.match(stderr, /loading\n3/);
});

test("as a program: a function that neither returns a promise nor calls back is done when the event loop is empty", async () => {
  const { code, written, stderr } = await runFile(
    "exports.handler = () => { setTimeout(() => console.log('last'), 5); };",
    [INITIALIZE, process3, ACK],
    "index.handler",
    true,
  );
  assert.deepEqual([code, written], [0, SUCCESS]);
  assert.match(stderr, /last/);
});

test("as a program: a promise that can no longer settle is a failure", async () => {
  const { code, written } = await runFile("exports.handler = () => new Promise(() => {});", [
    INITIALIZE,
    process3,
  ]);
  assert.deepEqual([code, written], [1, [status("initialize")]]);
});

test("as a program: the error for a missing function names it", async () => {
  for (const [name, message] of [
    ["other.handler", /no function other\.handler/],
    ["index.other", /exports no function other/],
  ]) {
    const { code, stderr } = await runFile("exports.handler = async () => {};", [INITIALIZE], name);
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
});
