// A well-behaved child, observed through the port.

import { describe, expect, it } from "vitest";
import type { CheckpointRequest } from "../../src/child/recordProcessor.ts";
import { CheckpointError } from "../../src/model/errors.ts";
import { batchOf, record, SHARD, START, startChild } from "./support.ts";

describe("a child that follows the protocol", () => {
  it("runs from initialize to shardEnded, and ends when its STDIN ends", async () => {
    const { processor, events } = await startChild("well-behaved.js");
    await processor.initialize({ ...START, subSequenceNumber: 0 });
    await processor.processRecords(batchOf([record(1), record(2)]), 12);
    await processor.processRecords(batchOf([]), undefined);
    await processor.shardEnded();
    await processor.stop();

    expect(await processor.exited).toEqual({ exitCode: 0 });
    expect(processor.failed.aborted).toBe(false);
    expect(events.lines("stderr")).toEqual([
      `{"action":"initialize","shardId":"${SHARD}","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}`,
      `{"action":"processRecords","records":[${record(1)},${record(2)}],"millisBehindLatest":12}`,
      '{"action":"processRecords","records":[],"millisBehindLatest":null}',
      '{"action":"shardEnded"}',
    ]);
    expect(events.of("childExited")).toEqual([
      { type: "childExited", shardId: SHARD, pid: processor.pid, exitCode: 0, expected: true },
    ]);
  });

  it("receives shutdownRequested, and then leaseLost", async () => {
    const { processor, events } = await startChild("well-behaved.js");
    await processor.initialize(START);
    await processor.shutdownRequested();
    await processor.leaseLost();
    await processor.exited;
    expect(events.lines("stderr").slice(1)).toEqual([
      '{"action":"shutdownRequested"}',
      '{"action":"leaseLost"}',
    ]);
  });

  it("rejects an action out of turn", async () => {
    const { processor } = await startChild("well-behaved.js");
    await expect(processor.shardEnded()).rejects.toThrow("no action was requested yet");
    const first = processor.initialize(START);
    await expect(processor.shardEnded()).rejects.toThrow('"initialize" is not answered yet');
    await first;
    await processor.leaseLost();
    await expect(processor.shardEnded()).rejects.toThrow("the conversation is over");
  });
});

describe("a child that requests checkpoints", () => {
  it("gets them in every phase that allows them, and each answer repeats the request", async () => {
    const asked: unknown[] = [];
    const request = '{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3}';
    const { processor, events } = await startChild("checkpoints.js", [request], {
      answer: async (r) => void asked.push(r),
    });
    await processor.initialize(START);
    await processor.processRecords(batchOf([record(12)]), 0);
    await processor.shutdownRequested();
    await processor.leaseLost();
    await processor.exited;

    const refused =
      '{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3,"error":"InvalidStateException"}';
    const stored =
      '{"action":"checkpoint","sequenceNumber":"12","subSequenceNumber":3,"error":null}';
    expect(events.lines("stderr")).toEqual([
      `initialize: ${refused}`,
      `processRecords: ${stored}`,
      `shutdownRequested: ${stored}`,
      `leaseLost: ${refused}`,
    ]);
    expect(asked).toEqual(Array(2).fill({ sequenceNumber: "12", subSequenceNumber: 3 }));
  });

  it("may do so at the end of the shard", async () => {
    const asked: unknown[] = [];
    const { processor, events } = await startChild("checkpoints.js", [], {
      answer: async (r) => void asked.push(r),
    });
    await processor.initialize(START);
    await processor.shardEnded();
    await processor.exited;
    expect(asked).toEqual([{ sequenceNumber: null, subSequenceNumber: null }]);
    expect(events.lines("stderr").at(-1)).toBe(
      'shardEnded: {"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}',
    );
  });

  it.each([
    [new CheckpointError("ThrottlingException", "slow down"), "ThrottlingException", 0],
    [new CheckpointError("ShutdownException", "gone"), "ShutdownException", 0],
    [new TypeError("a mistake of ours"), "KinesisClientLibDependencyException", 1],
  ])("is told why one failed: %s", async (error, name, troubles) => {
    const { processor, events } = await startChild("checkpoints.js", [], {
      answer: () => Promise.reject(error),
    });
    await processor.initialize(START);
    await processor.processRecords(batchOf([record(1)]), 0);
    await processor.stop();
    expect(events.lines("stderr").at(-1)).toContain(`"error":"${name}"`);
    expect(events.of("checkpointTrouble").map((event) => event.error)).toEqual(
      Array(troubles).fill(error),
    );
  });

  it("means the batch that it has answered when it requests one between two batches", async () => {
    const asked: CheckpointRequest[] = [];
    let store = () => {};
    const { processor, events } = await startChild("checkpoints-late.js", [], {
      answer: async (request) => {
        if (asked.push(request) > 1) return;
        await new Promise<void>((resolve) => {
          store = resolve;
        });
      },
    });
    await processor.initialize(START);
    await processor.processRecords(batchOf([record(7), record(8)]), 0);
    await events.until(() => asked.length === 1);
    const next = processor.processRecords(batchOf([record(9)]), 0);
    store();
    await next;
    expect(asked[0]).toEqual({ sequenceNumber: "8", subSequenceNumber: 0 });
    // The answer arrives before the next batch, and repeats the request.
    const heard = await events.until(() => {
      const lines = events.lines("stderr");
      return lines.length >= 4 && lines;
    });
    expect(heard[2]).toBe(
      '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}',
    );
    expect(heard[3]).toContain(record(9));
  });
});

describe("a child that uses the extended protocol", () => {
  it("gets its environment variables, logs, and may add properties", async () => {
    const { processor, events } = await startChild("speaks-extended.js");
    await processor.initialize(START);
    await processor.shardEnded();
    const { pid } = processor;
    const log = {
      type: "childLog",
      shardId: SHARD,
      pid,
      level: "warn",
      message: `${SHARD} 3 worker-1 1`,
    };
    expect(events.of("childLog")).toEqual([log, log]);
    // Reported once, although it happened twice.
    expect(events.of("protocolWarning").map((event) => event.message)).toEqual([
      "ignored unknown properties of a status message: mood",
    ]);
  });
});
