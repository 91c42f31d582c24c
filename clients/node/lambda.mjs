#!/usr/bin/env node
// Runs an unchanged AWS Lambda function for Kinesis as a record processor:
//
//     executableName = node lambda.mjs [--batch-size 100] [--timeout 900] index.handler
//
// A batch that succeeds is checkpointed. If a record fails, the position before the first failed
// record is checkpointed and the process ends, so the daemon delivers from there again. As in
// Lambda, this repeats until the batch succeeds.

import { randomUUID } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { CheckpointError, kcl } from "./kcl.mjs";

/** The default batch size of an event source mapping. */
const BATCH_SIZE = 100;
/** Lambda's maximum time for an invocation. */
const TIMEOUT_MS = 900_000;
const REGION = process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? "us-east-1";

/** The function did not process a batch, or a part of it. */
export class InvocationError extends Error {
  name = "InvocationError";
}

/**
 * The record processor that calls `handler(event, context)`. lambda.d.mts has the types and their
 * meaning.
 */
export function lambdaProcessor(handler, options = {}) {
  const { batchSize = BATCH_SIZE } = options;
  let shardId = "";
  return {
    initialize(input) {
      shardId = input.shardId;
    },
    async processRecords({ records, checkpointer }) {
      for (let from = 0; from < records.length; from += batchSize) {
        const batch = records.slice(from, from + batchSize);
        const { done, failure } = await invoke(handler, batch, shardId, options);
        if (!failure) continue;
        const last = records[from + done - 1];
        if (last) await store(checkpointer, last);
        throw failure;
      }
      if (records.length > 0) await store(checkpointer);
    },
    leaseLost() {},
    shardEnded: ({ checkpointer }) => store(checkpointer),
    shutdownRequested: ({ checkpointer }) => store(checkpointer),
  };
}

/** Returns how many records from the start of the batch are done, and what stopped the rest. */
async function invoke(handler, records, shardId, options) {
  try {
    const response = await callHandler(handler, toEvent(records, shardId, options), options);
    const done = countDone(records, response?.batchItemFailures);
    if (done === records.length) return { done };
    const first = records[done]?.sequenceNumber;
    const message = `the function reported batch item failures; shard ${shardId} will be delivered again from ${first}`;
    return { done, failure: new InvocationError(message) };
  } catch (error) {
    const cause = error instanceof Error ? error : new Error(String(error));
    return {
      done: 0,
      failure: new InvocationError(`the function failed: ${cause.message}`, { cause }),
    };
  }
}

/**
 * Applies Lambda's rules. No list or an empty one means success. An item without a known identifier
 * fails the whole batch. Of several items, the lowest counts. The records of one KPL aggregate
 * share their sequence number and stay together.
 */
function countDone(records, failures) {
  if (failures === undefined || failures === null) return records.length;
  if (!Array.isArray(failures)) return 0;
  return failures.reduce((done, failure) => {
    const at = records.findIndex((record) => record.sequenceNumber === failure?.itemIdentifier);
    return Math.min(done, Math.max(at, 0));
  }, records.length);
}

/**
 * The invocation is done when its promise settles, or at the first callback. A function that does
 * neither is done when the event loop is empty, as in Lambda. The timer does not keep the event
 * loop alive, so that this can happen.
 */
function callHandler(handler, event, options) {
  const { timeoutMs = TIMEOUT_MS } = options;
  return new Promise((resolvePromise, reject) => {
    const nothingLeft = () => succeed(null);
    const late = () => fail(new Error(`no answer within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs).unref();
    const settle = () => {
      clearTimeout(timer);
      process.off("beforeExit", nothingLeft);
    };
    const succeed = (result) => {
      settle();
      resolvePromise(result);
    };
    const fail = (error) => {
      settle();
      reject(error ?? new Error("it gave no reason"));
    };
    const callback = (error, result) => (error ? fail(error) : succeed(result));
    try {
      const result = handler(event, toContext(Date.now() + timeoutMs, callback, options), callback);
      if (typeof result?.then === "function") result.then(succeed, fail);
      else process.once("beforeExit", nothingLeft);
    } catch (error) {
      fail(error);
    }
  });
}

/**
 * The event as Lambda documents it for Kinesis: timestamps in seconds, and the shard in the event
 * id.
 */
function toEvent(records, shardId, options) {
  const { streamArn = `arn:aws:kinesis:${REGION}:000000000000:stream/unknown` } = options;
  return {
    Records: records.map((record) => ({
      kinesis: {
        kinesisSchemaVersion: "1.0",
        partitionKey: record.partitionKey,
        sequenceNumber: record.sequenceNumber,
        data: record.data,
        approximateArrivalTimestamp: record.approximateArrivalTimestamp / 1000,
      },
      eventSource: "aws:kinesis",
      eventVersion: "1.0",
      eventID: `${shardId}:${record.sequenceNumber}`,
      eventName: "aws:kinesis:record",
      invokeIdentityArn: "arn:aws:iam::000000000000:role/kinesis-multilang",
      awsRegion: streamArn.split(":")[3] || REGION,
      eventSourceARN: streamArn,
    })),
  };
}

function toContext(deadline, callback, { functionName = "function" }) {
  return {
    functionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:${REGION}:000000000000:function:${functionName}`,
    memoryLimitInMB: "128",
    awsRequestId: randomUUID(),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: `${new Date().toISOString().slice(0, 10).replaceAll("-", "/")}/[$LATEST]`,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: callback,
    succeed: (result) => callback(null, result),
    fail: (error) => callback(error ?? new Error("it gave no reason")),
  };
}

async function store(checkpointer, record) {
  try {
    await (record ? checkpointer.checkpoint(record) : checkpointer.checkpoint());
  } catch (error) {
    // Another worker holds the shard now; leaseLost follows.
    if (!(error instanceof CheckpointError) || error.value !== "ShutdownException") throw error;
  }
}

/** Returns the function that Lambda would find under `folder/file.export`. */
export async function loadHandler(name) {
  const dot = name.lastIndexOf(".");
  const path = resolve(name.slice(0, dot));
  const file = [".mjs", ".js", ".cjs"].map((end) => path + end).find((each) => existsSync(each));
  if (dot <= 0 || !file) {
    throw new Error(
      `no function ${name}: expected file.export with ${path}.mjs, .js or .cjs there`,
    );
  }
  const loaded = await import(pathToFileURL(file).href);
  const handler = loaded[name.slice(dot + 1)] ?? loaded.default?.[name.slice(dot + 1)];
  if (typeof handler !== "function")
    throw new Error(`${file} exports no function ${name.slice(dot + 1)}`);
  return handler;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "batch-size": { type: "string", default: String(BATCH_SIZE) },
      timeout: { type: "string", default: String(TIMEOUT_MS / 1000) },
      "stream-arn": { type: "string" },
    },
  });
  const [batchSize, seconds] = [Number(values["batch-size"]), Number(values.timeout)];
  if (positionals.length !== 1 || !(batchSize >= 1) || !(seconds > 0)) {
    throw new Error(
      "usage: lambda.mjs [--batch-size N] [--timeout SECONDS] [--stream-arn ARN] FILE.EXPORT",
    );
  }
  const [name = ""] = positionals;
  const streamArn = values["stream-arn"];
  const options = {
    batchSize,
    timeoutMs: seconds * 1000,
    functionName: name,
    ...(streamArn && { streamArn }),
  };
  let handler;
  const processor = lambdaProcessor((...given) => handler(...given), options);
  const initialize = async (input) => {
    processor.initialize(input);
    // Load the function only now: what it prints while it loads must not reach STDOUT.
    handler = await loadHandler(name);
  };
  await kcl({ ...processor, initialize }).run();
}

const started = process.argv[1];
if (started && existsSync(started) && realpathSync(started) === fileURLToPath(import.meta.url)) {
  await main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
