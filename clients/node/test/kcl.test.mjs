// Tests the client against conversations in memory. Only the tests of the process itself start one.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { CheckpointError, kcl } from "../kcl.mjs";

const INITIALIZE = {
  action: "initialize",
  shardId: "shardId-0",
  sequenceNumber: "TRIM_HORIZON",
  subSequenceNumber: 0,
};
const RECORD = {
  data: Buffer.from("cat").toString("base64"),
  partitionKey: "a\u2028b",
  sequenceNumber: "7",
  approximateArrivalTimestamp: 1,
  subSequenceNumber: 3,
  action: "record",
};
const PROCESS = { action: "processRecords", records: [RECORD], millisBehindLatest: 5 };
const ack = (error = null, sequenceNumber = null) => ({
  action: "checkpoint",
  sequenceNumber,
  subSequenceNumber: null,
  error,
});
const status = (responseFor) => ({ action: "status", responseFor });

/** Passes the messages to a processor and returns what it wrote, line by line. */
async function play(processor, messages, options = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const error = new PassThrough();
  const waits = [];
  const driver = kcl(processor, input, output, error, {
    sleep: async (ms) => waits.push(ms),
    ...options,
  });
  for (const message of messages) {
    input.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`);
  }
  input.end();
  const failure = await driver.run().then(
    () => undefined,
    (reason) => reason,
  );
  const written = (output.read() ?? "")
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  return { written, failure, waits, errors: (error.read() ?? "").toString() };
}

const processor = (functions = {}) => ({
  initialize() {},
  processRecords() {},
  leaseLost() {},
  shardEnded() {},
  ...functions,
});

test("answers every action, with or without a function for it", async () => {
  const actions = ["initialize", "processRecords", "shutdownRequested", "leaseLost", "shardEnded"];
  const { written, failure } = await play(
    { processRecords() {}, shardEnded() {} },
    actions.map((action) => ({ action })),
  );
  assert.deepEqual(written, actions.map(status));
  assert.equal(failure, undefined);
});

test("gives the fields of the message, and records untouched", async () => {
  const seen = [];
  await play(
    processor({
      initialize: (input) => void seen.push(input),
      processRecords: (input) => void seen.push(input),
    }),
    [INITIALIZE, PROCESS],
  );
  const [{ log, ...initialize }, { log: _, checkpointer, ...process }] = seen;
  assert.deepEqual(initialize, {
    shardId: "shardId-0",
    sequenceNumber: "TRIM_HORIZON",
    subSequenceNumber: 0,
  });
  assert.deepEqual(process, { records: [RECORD], millisBehindLatest: 5 });
  assert.equal(typeof checkpointer.checkpoint, "function");
});

test("waits for asynchronous functions and for callbacks", async () => {
  const order = [];
  const later = (done) => setImmediate(done);
  await play(
    processor({
      initialize: (_input, complete) =>
        later(() => {
          order.push("initialize");
          complete();
        }),
      processRecords: () =>
        new Promise((resolve) =>
          later(() => {
            order.push("processRecords");
            resolve();
          }),
        ),
      shardEnded: () => void order.push("shardEnded"),
    }),
    [INITIALIZE, PROCESS, { action: "shardEnded" }],
  );
  assert.deepEqual(order, ["initialize", "processRecords", "shardEnded"]);
});

test("calling back twice answers once", async () => {
  const { written, errors } = await play(
    processor({
      initialize: (_input, complete) => {
        complete();
        complete();
      },
    }),
    [INITIALIZE],
  );
  assert.deepEqual(written, [status("initialize")]);
  assert.match(errors, /initialize called back 2 times/);
});

for (const [args, sequenceNumber, subSequenceNumber] of [
  [[], null, null],
  [[null], null, null],
  [["7"], "7", null],
  [["7", 3], "7", 3],
  [[RECORD], "7", 3],
]) {
  test(`checkpoint(${JSON.stringify(args).slice(1, -1)}) requests ${sequenceNumber}, ${subSequenceNumber}`, async () => {
    const { written } = await play(
      processor({ processRecords: ({ checkpointer }) => checkpointer.checkpoint(...args) }),
      [PROCESS, ack(null, sequenceNumber)],
    );
    assert.deepEqual(written, [
      { action: "checkpoint", sequenceNumber, subSequenceNumber },
      status("processRecords"),
    ]);
  });
}

test("callback style: checkpoint(callback), checkpoint(sequenceNumber, callback), errors as strings", async () => {
  const seen = [];
  const { written } = await play(
    processor({
      processRecords({ checkpointer }, complete) {
        checkpointer.checkpoint((...first) => {
          seen.push(first);
          checkpointer.checkpoint("7", (...second) => {
            seen.push(second);
            complete();
          });
        });
      },
    }),
    [PROCESS, ack(), ack("ShutdownException", "7")],
  );
  assert.deepEqual(seen, [
    [null, null],
    ["ShutdownException", "7"],
  ]);
  assert.equal(written.length, 3);
});

test("retries throttled checkpoints, waiting longer each time", async () => {
  const errors = [
    "ThrottlingException",
    "KinesisClientLibDependencyException",
    "ThrottlingException",
  ];
  const { written, waits, failure } = await play(
    processor({ processRecords: ({ checkpointer }) => checkpointer.checkpoint("7") }),
    [PROCESS, ...errors.map((error) => ack(error)), ack()],
  );
  assert.equal(failure, undefined);
  assert.equal(written.length, 5);
  const bounds = [
    [100, 200],
    [200, 400],
    [400, 800],
  ];
  for (const [at, ms] of waits.entries()) {
    assert.ok(ms >= bounds[at][0] && ms <= bounds[at][1], `wait ${at}: ${ms}`);
  }
});

test("stops retrying a checkpoint after 8 attempts", async () => {
  const { written, failure } = await play(
    processor({ processRecords: ({ checkpointer }) => checkpointer.checkpoint() }),
    [PROCESS, ...Array.from({ length: 8 }, () => ack("ThrottlingException"))],
  );
  assert.equal(failure.value, "ThrottlingException");
  assert.equal(written.length, 8);
});

test("does not retry errors that cannot succeed", async () => {
  for (const error of [
    "ShutdownException",
    "InvalidStateException",
    "IllegalArgumentException",
    "NullPointerException",
  ]) {
    const { written, failure } = await play(
      processor({ processRecords: ({ checkpointer }) => checkpointer.checkpoint() }),
      [PROCESS, ack(error)],
    );
    assert.ok(failure instanceof CheckpointError);
    assert.equal(failure.value, error);
    assert.equal(written.length, 1);
  }
});

test("concurrent checkpoints queue, and the status waits for them", async () => {
  const { written } = await play(
    processor({
      processRecords({ checkpointer }) {
        checkpointer.checkpoint("1");
        checkpointer.checkpoint("2");
      },
    }),
    [PROCESS, ack(null, "1"), ack(null, "2")],
  );
  assert.deepEqual(
    written.map((message) => message.sequenceNumber ?? message.responseFor),
    ["1", "2", "processRecords"],
  );
});

test("a checkpoint after the action was answered is refused without being sent", async () => {
  let kept;
  const { written } = await play(
    processor({
      processRecords: ({ checkpointer }) => {
        kept = checkpointer;
      },
    }),
    [PROCESS],
  );
  await assert.rejects(kept.checkpoint(), { value: "InvalidStateException" });
  assert.deepEqual(written, [status("processRecords")]);
});

test("a daemon that answers a checkpoint with something else is an error", async () => {
  const checkpoints = processor({
    processRecords: ({ checkpointer }) => checkpointer.checkpoint(),
  });
  assert.equal(
    (await play(checkpoints, [PROCESS, PROCESS])).failure.value,
    "InvalidStateException",
  );
  assert.equal((await play(checkpoints, [PROCESS])).failure.value, "ShutdownException");
});

test("an error that is thrown, rejected or called back ends the loop without a status", async () => {
  const failing = {
    throws: () => {
      throw new Error("no");
    },
    rejects: async () => {
      throw new Error("no");
    },
    callsBack: (_input, complete) => complete(new Error("no")),
    throwsBesidesCallback: (_input, _complete) => {
      throw new Error("no");
    },
  };
  for (const processRecords of Object.values(failing)) {
    const { written, failure } = await play(processor({ processRecords }), [
      PROCESS,
      { action: "leaseLost" },
    ]);
    assert.equal(failure?.message, "no");
    assert.deepEqual(written, []);
  }
});

test("an old processor's shutdown handles both the lost lease and the end of the shard", async () => {
  const seen = [];
  const old = {
    initialize: (_input, complete) => complete(),
    processRecords: (_input, complete) => complete(),
    leaseLost: () => seen.push("never"),
    shutdown(input, complete) {
      seen.push([input.reason, typeof input.checkpointer]);
      complete();
    },
  };
  const { written } = await play(old, [{ action: "leaseLost" }, { action: "shardEnded" }]);
  assert.deepEqual(seen, [
    ["ZOMBIE", "undefined"],
    ["TERMINATE", "object"],
  ]);
  assert.deepEqual(written, [status("leaseLost"), status("shardEnded")]);
});

test("ignores blank lines, and unknown actions with a warning; a line that is not a message is an error", async () => {
  const { written, errors } = await play(processor(), [
    "",
    "  ",
    { action: "constructor" },
    INITIALIZE,
  ]);
  assert.deepEqual(written, [status("initialize")]);
  assert.match(errors, /does not know: constructor/);
  for (const line of ["null", "7", "{", '{"action":"initialize"']) {
    assert.ok((await play(processor(), [line])).failure, line);
  }
});

test("a line may be long and arrive in pieces", async () => {
  const data = "A".repeat(16 * 1024 * 1024);
  let length;
  const { failure } = await play(
    processor({
      processRecords: ({ records }) => {
        length = records[0].data.length;
      },
    }),
    [{ ...PROCESS, records: [{ ...RECORD, data }] }],
  );
  assert.equal(failure, undefined);
  assert.equal(length, data.length);
});

test("refuses a processor that lacks a required function", () => {
  assert.throws(() => kcl({ processRecords() {} }), /shardEnded/);
  assert.throws(() => kcl({ shutdown() {} }), /processRecords/);
});

test("log lines go to the daemon only if it announces that it supports them", async () => {
  const talks = processor({ processRecords: ({ log }) => log("warn", "slow") });
  const without = await play(talks, [PROCESS]);
  assert.deepEqual(without.written, [status("processRecords")]);
  assert.match(without.errors, /warn: slow/);
  process.env.KINESIS_MULTILANG_PROTOCOL_VERSION = "1";
  try {
    const { written } = await play(talks, [PROCESS]);
    assert.deepEqual(written[0], { action: "log", level: "warn", message: "slow" });
  } finally {
    delete process.env.KINESIS_MULTILANG_PROTOCOL_VERSION;
  }
});

/**
 * Runs a short program with the client in a separate process. STDIN ends after the messages, or
 * when STDOUT contains a text.
 */
async function run(body, messages, openUntil) {
  const client = JSON.stringify(new URL("../kcl.mjs", import.meta.url).href);
  const child = spawn(process.execPath, [
    "--input-type=module",
    "-e",
    `import { kcl } from ${client};\n${body}`,
  ]);
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].on("data", (chunk) => {
      output[name] += chunk;
      if (openUntil && output.stdout.includes(openUntil)) child.stdin.end();
    });
  child.stdin.on("error", () => {});
  child.stdin.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
  if (!openUntil) child.stdin.end();
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, ...output };
}

test("in a process, whatever the program prints goes to STDERR", async () => {
  const { code, stdout, stderr } = await run(
    "kcl({ initialize() { console.log('hello'); process.stdout.write('there') }, processRecords() {}, shardEnded() {} }).run();",
    [INITIALIZE],
  );
  assert.equal(stdout.trim(), JSON.stringify(status("initialize")));
  assert.match(stderr, /hello\nthere/);
  assert.equal(code, 0);
});

test("in a process, batches of any size arrive as they were sent", async () => {
  const batch = (...sizes) => ({
    ...PROCESS,
    records: sizes.map((size) => ({ ...RECORD, data: "a\u2028é".repeat(size) })),
  });
  const batches = [
    batch(1),
    batch(...Array(5_000).fill(20)),
    batch(300_000, 1, 30_000),
    batch(),
    batch(...Array(100).fill(5_000)),
  ];
  const { code, stdout } = await run(
    `import { createHash } from "node:crypto";
    process.env.KINESIS_MULTILANG_PROTOCOL_VERSION = "1";
    const hash = createHash("sha256");
    kcl({
      processRecords({ records }) { hash.update(JSON.stringify(records)); },
      shardEnded({ log }) { return log("info", hash.digest("hex")); },
    }).run();`,
    [...batches, { action: "shardEnded" }],
  );
  const hash = createHash("sha256");
  for (const { records } of batches) hash.update(JSON.stringify(records));
  assert.match(stdout, new RegExp(hash.digest("hex")));
  assert.equal(code, 0);
});

test("in a process, a processor that has nothing left to do fails while STDIN is open", async () => {
  const { code, stderr } = await run(
    "kcl({ processRecords: () => new Promise(() => {}), shardEnded() {} }).run();",
    [PROCESS],
    "never",
  );
  assert.match(stderr, /nothing is left to do/);
  assert.equal(code, 1);
});

test("in a process, a failure is reported on STDERR and by the exit code", async () => {
  for (const body of [
    "throw new Error('no such file')",
    "return Promise.reject(new Error('no such file'))",
  ]) {
    const { code, stdout, stderr } = await run(
      `kcl({ processRecords() { ${body} }, shardEnded() {} }).run();`,
      [PROCESS],
    );
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /the record processor failed: Error: no such file/);
  }
});

test("in a process, a callback that is never called is a failure", async () => {
  const { code, stderr } = await run(
    "kcl({ processRecords(input, complete) {}, shardEnded() {} }).run();",
    [PROCESS],
  );
  assert.equal(code, 1);
  assert.match(stderr, /was not answered/);
});
