// Children that print too much, read too little or refuse to end: the daemon goes on, and leaves no
// process or descriptor behind.

import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { STDOUT_LINE_LIMIT_BYTES } from "../../src/child/process/childProcess.ts";
import {
  batchOf,
  type Events,
  failureOf,
  fixture,
  HandClock,
  isRunning,
  record,
  START,
  startChild,
} from "./support.ts";

/** The lines that were passed on, and the number of those that were only counted. */
function linesIn(events: Events, stream: "stdout" | "stderr"): number {
  const dropped = events.of("childOutputDropped").filter((event) => event.stream === stream);
  return events.lines(stream).length + dropped.reduce((sum, { lines }) => sum + lines, 0);
}

const BATCH = batchOf([record(1), record(2)]);

describe("what a child prints besides its messages", () => {
  it("is passed on line by line, without blank lines", async () => {
    const { processor, events } = await startChild("prints-junk.js");
    await processor.initialize(START);
    expect(events.lines("stdout")).toEqual([
      "hello",
      "null",
      "[]",
      "42",
      '{"action":"dance"}',
      '{"no":"action"}',
      '{"action":"status"',
    ]);
    expect(events.of("protocolWarning").map((event) => event.message)).toEqual([
      'skipped a message: no child sends the action "dance"',
      "skipped a message: it has no action",
      "skipped a line that looks like a message that is not valid JSON; write the whole message on one line",
    ]);
    await processor.shardEnded();
    expect(events.lines("stdout")).toHaveLength(14);
    expect(events.of("protocolWarning")).toHaveLength(3);
  });

  it("may be 10 MiB without a line end", async () => {
    const { processor, events } = await startChild("prints-long-line.js", [10]);
    await processor.initialize(START);
    await processor.processRecords(BATCH, 0);
    const lines = events.lines("stdout");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^x{1024}… \(more than 1048576 bytes/);
    expect(STDOUT_LINE_LIMIT_BYTES).toBe(1_048_576);
  });

  it("does not grow the daemon's memory", async () => {
    const before = process.memoryUsage().rss;
    const { processor } = await startChild("prints-long-line.js", [256]);
    await processor.initialize(START);
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024);
  });

  it("may be a hundred thousand lines at a time", async () => {
    const { processor, events } = await startChild("prints-much-junk.js", [100_000]);
    await processor.initialize(START);
    await processor.processRecords(BATCH, 0);
    processor.kill();
    await processor.exited;
    expect(linesIn(events, "stdout")).toBe(200_000);
    // Whatever the machine's speed: a burst, and what may come in the time that this takes.
    expect(events.lines("stdout").length).toBeLessThan(10_000);
    const failure = await failureOf(processor.leaseLost());
    expect(failure.lastStdout).toHaveLength(50);
  });

  it("need not be text", async () => {
    const { processor, events } = await startChild("prints-invalid-utf8.js");
    await processor.initialize(START);
    await processor.stop();
    expect(events.lines("stdout")).toEqual(["\ufffd\ufffd\ufffd"]);
    expect(events.lines("stderr")).toEqual(["\ufffd"]);
  });

  it("may be a megabyte on STDERR while nothing is asked", async () => {
    const { processor, events } = await startChild("prints-much-on-stderr.js");
    const lines = (n: number) => events.until(() => linesIn(events, "stderr") === n);
    await processor.initialize(START);
    await lines(32 * 1024);
    await processor.processRecords(BATCH, 0);
    await lines(64 * 1024);
  });

  it("may be a second status, which answers no action", async () => {
    const { processor, events } = await startChild("answers-twice.js");
    await processor.initialize(START);
    await processor.processRecords(BATCH, 0);
    await processor.processRecords(BATCH, 0);
    await processor.shardEnded();
    expect(events.of("protocolWarning").map((event) => event.message)).toEqual([
      expect.stringContaining('dropped a status for "initialize", because no answer was due'),
      expect.stringContaining('dropped a status for "processRecords"'),
      expect.stringContaining('dropped a status for "shardEnded"'),
    ]);
    expect(events.lines("stdout")).toHaveLength(4);
  });
});

describe("a child that does not read", () => {
  it("receives a batch of 24 MiB in pieces once it begins to read", async () => {
    const records = Array.from({ length: 24 }, (_, i) => record(1_000 + i, 786_432));
    const { processor, events } = await startChild("reads-slowly.js");
    await processor.initialize(START);
    await processor.processRecords(batchOf(records), 5);
    expect(events.lines("stderr").at(-1)).toBe("processRecords: 24, 1023");
  });

  it("exceeds the time limit like one that does not answer, and is ended", async () => {
    const clock = new HandClock();
    const { processor } = await startChild("never-reads.js", [], {
      clock,
      timeoutMs: 1_000,
      closeGraceMs: 2_000,
    });
    const huge = failureOf(processor.initialize({ ...START, sequenceNumber: digits(4_000_000) }));
    clock.advance(1_000);
    expect(await huge).toMatchObject({ reason: "timeout" });
    const stopped = processor.stop();
    clock.advance(2_000);
    await stopped;
    expect(await processor.exited).toEqual({ signal: "SIGTERM" });
  });
});

it("the daemon stops reading from a child that does not read the answers to its checkpoints", async () => {
  let asked = 0;
  const { processor } = await startChild("checkpoints-without-reading.js", [], {
    timeoutMs: 1_000,
    answer: async () => void asked++,
  });
  await processor.initialize(START);
  expect(await failureOf(processor.processRecords(BATCH, 0))).toMatchObject({ reason: "timeout" });
  expect(asked).toBeGreaterThan(1_000);
  expect(asked).toBeLessThan(50_000);
});

describe("a child that refuses to end", () => {
  it("receives SIGTERM when the end of its STDIN was not enough", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("ignores-end-of-input.js", [], {
      clock,
      closeGraceMs: 2_000,
    });
    await processor.initialize(START);
    const stopped = processor.stop();
    expect(processor.stop()).toBe(stopped);
    clock.advance(1_999);
    expect(events.of("childExited")).toEqual([]);
    clock.advance(1);
    await stopped;
    expect(events.of("childExited")).toMatchObject([{ signal: "SIGTERM", expected: true }]);
  });

  it("receives SIGKILL when SIGTERM was not enough", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("ignores-the-end.js", [], {
      clock,
      closeGraceMs: 2_000,
      terminateGraceMs: 3_000,
    });
    await processor.initialize(START);
    const stopped = processor.stop();
    clock.advance(2_000);
    await events.until(() => events.lines("stderr").includes("not yet"));
    clock.advance(3_000);
    await stopped;
    expect(await processor.exited).toEqual({ signal: "SIGKILL" });
  });

  it("is ended even when it was suspended, as by Ctrl-Z", async () => {
    const { processor } = await startChild("well-behaved.js", [], {
      closeGraceMs: 20,
      terminateGraceMs: 20,
    });
    await processor.initialize(START);
    process.kill(processor.pid, "SIGSTOP");
    await processor.stop();
    expect(await processor.exited).toEqual({ signal: "SIGKILL" });
  });
});

describe("a grandchild that keeps the pipes", () => {
  it("does not delay the daemon, and does not outlive its group", async () => {
    const { processor, events } = await startChild("leaves-grandchild.js");
    await processor.initialize(START);
    const grandchild = await grandchildOf(events);
    expect(isRunning(grandchild)).toBe(true);
    await processor.stop();
    expect(await processor.exited).toEqual({ exitCode: 0 });
    await goneSoon(grandchild);
  });

  it("does not delay the daemon in a process group of its own either", async () => {
    const before = openDescriptors();
    const { processor, events } = await startChild("leaves-grandchild.js", ["detached"]);
    await processor.initialize(START);
    const grandchild = await grandchildOf(events);
    try {
      await processor.stop();
      expect(await processor.exited).toEqual({ exitCode: 0 });
      // Its end of the pipes is still open; the daemon's end is not.
      await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
    } finally {
      process.kill(grandchild, "SIGKILL");
    }
  });

  it("dies with a child that is killed", async () => {
    const { processor, events } = await startChild("leaves-grandchild.js");
    await processor.initialize(START);
    const grandchild = await grandchildOf(events);
    processor.kill();
    expect(await processor.exited).toEqual({ signal: "SIGKILL" });
    await goneSoon(grandchild);
  });
});

it("a daemon that exits abruptly ends its children", async () => {
  const host = fileURLToPath(new URL("hosts/fails-in-a-hurry.js", import.meta.url));
  const { code, stdout, stderr } = await new Promise<{
    code: unknown;
    stdout: string;
    stderr: string;
  }>((resolve) => {
    execFile(process.execPath, [host, fixture("ignores-the-end.js")], (error, out, err) =>
      resolve({ code: error?.code, stdout: out, stderr: err }),
    );
  });
  expect(stderr).toContain("something unforeseen");
  expect(code).toBe(1);
  await goneSoon(Number(stdout));
});

// On a system that does not list descriptors, nothing is compared.
const openDescriptors = () =>
  existsSync("/proc/self/fd") ? readdirSync("/proc/self/fd").length : 0;

it("no descriptor is left open after thirty children", async () => {
  const cycle = async (name: string) => {
    const { processor } = await startChild(name);
    await processor.initialize(START).catch(() => {});
    processor.kill();
    await processor.exited;
  };
  await cycle("well-behaved.js");
  const before = openDescriptors();
  for (let i = 0; i < 15; i++) {
    await Promise.all([cycle("well-behaved.js"), cycle("exits-at-start.js")]);
  }
  expect(openDescriptors()).toBeLessThanOrEqual(before);
});

const digits = (n: number) => "1".repeat(n) as typeof START.sequenceNumber;

async function grandchildOf(events: Events): Promise<number> {
  return events.until(() => {
    const match = /^grandchild (\d+)$/.exec(events.lines("stderr").join("\n"));
    return match ? Number(match[1]) : undefined;
  });
}

/** The kernel ends a process shortly after the signal. */
async function goneSoon(pid: number): Promise<void> {
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
}
