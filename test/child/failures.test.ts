// Children that end, do not answer or break the protocol while they are needed: the error that the
// caller receives.

import { describe, expect, it } from "vitest";
import {
  batchOf,
  failureOf,
  fixture,
  HandClock,
  record,
  SHARD,
  START,
  startChild,
  starter,
} from "./support.ts";

const BATCH = batchOf([record(1), record(2)]);

describe("a child that exits", () => {
  it("at start: the error contains its exit code, command and last output", async () => {
    const { processor } = await startChild("exits-at-start.js");
    const failure = await failureOf(processor.initialize(START));
    expect(failure).toMatchObject({
      shardId: SHARD,
      pid: processor.pid,
      argv: [process.execPath, fixture("exits-at-start.js")],
      reason: "exit",
      exitCode: 3,
      signal: undefined,
      waitingFor: "initialize",
      lastStdout: [],
      lastStderr: ["no configuration found"],
    });
    expect(failure.message.split("\n")).toEqual([
      `${SHARD}: the child process exited with code 3 while the daemon waited for its answer to "initialize".`,
      `It was started as: ${process.execPath} ${fixture("exits-at-start.js")} (pid ${processor.pid})`,
      "Its last lines on STDERR:",
      "  no configuration found",
      "It wrote nothing to STDOUT.",
      "The last lines of its output usually show the cause. If they do not, run the command by hand.",
    ]);
  });

  it.each([
    ["0", { exitCode: 0, signal: undefined }, "exited with code 0"],
    ["137", { exitCode: 137, signal: undefined }, "exited with code 137 (perhaps SIGKILL)"],
    ["SIGKILL", { exitCode: undefined, signal: "SIGKILL" }, "was ended by SIGKILL (killed by "],
    ["SIGSEGV", { exitCode: undefined, signal: "SIGSEGV" }, "SIGSEGV (a segmentation fault)"],
  ])("while processing, by %s", async (how, facts, what) => {
    const { processor, events } = await startChild("exits-while-processing.js", [how]);
    await processor.initialize(START);
    const failure = await failureOf(processor.processRecords(BATCH, 0));
    expect(failure).toMatchObject({ reason: "exit", waitingFor: "processRecords", ...facts });
    expect(failure.message).toContain(what);
    expect(processor.failed.reason).toBe(failure);
    expect(events.of("childExited")).toMatchObject([{ expected: false }]);
  });

  it("between two actions: the signal is aborted at once, and the next call fails", async () => {
    const { processor } = await startChild("exits-after-initialize.js");
    await processor.initialize(START);
    await new Promise((resolve) => processor.failed.addEventListener("abort", resolve));
    expect(processor.failed.reason).toMatchObject({
      reason: "exit",
      exitCode: 4,
      waitingFor: "nothing",
    });
    expect(await failureOf(processor.processRecords(BATCH, 0))).toBe(processor.failed.reason);
    await processor.stop();
  });

  it("because it is stopped in the middle of an action: the action fails, `failed` stays unset", async () => {
    const { processor } = await startChild("never-answers.js");
    const action = failureOf(processor.initialize(START));
    await processor.stop();
    expect(await action).toMatchObject({ reason: "exit", exitCode: 0 });
    expect(processor.failed.aborted).toBe(false);
  });
});

describe("a child that does not answer", () => {
  it("fails at the time limit, and can then be stopped", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("never-answers.js", [], {
      clock,
      timeoutMs: 30_000,
    });
    const action = failureOf(processor.initialize(START));
    await events.until(() => events.lines("stderr").length > 0);
    clock.advance(30_000);
    const failure = await action;
    expect(failure).toMatchObject({
      reason: "timeout",
      waitingFor: "initialize",
      lastStderr: ["thinking"],
    });
    expect(failure.message).toContain(
      'sent nothing for 30 s while the daemon waited for its answer to "initialize"',
    );
    expect(failure.message).toContain("timeoutInSeconds");
    expect(processor.failed.reason).toBe(failure);
    await processor.stop();
    expect(await processor.exited).toEqual({ exitCode: 0 });
  });

  it("gets the full time again after each checkpoint, and storing does not count", async () => {
    const clock = new HandClock();
    const { processor } = await startChild("checkpoints-for-ever.js", [5], {
      clock,
      timeoutMs: 1_000,
      answer: async () => clock.advance(5_000),
    });
    await processor.initialize(START);
    await processor.processRecords(BATCH, 0);
  });

  it("exceeds the time limit even while it logs", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("logs-for-ever.js", [], {
      clock,
      timeoutMs: 1_000,
    });
    const action = failureOf(processor.initialize(START));
    await events.until(() => events.of("childLog").length >= 3);
    clock.advance(1_000);
    expect(await action).toMatchObject({ reason: "timeout" });
  });

  it("is reported with its unfinished last line", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("prints-without-end.js", [], {
      clock,
      timeoutMs: 1_000,
    });
    const action = failureOf(processor.initialize(START));
    await events.until(() => events.lines("stderr").includes("written"));
    await new Promise(setImmediate);
    clock.advance(1_000);
    expect((await action).lastStdout).toEqual([
      '{"action":"status","responseFor":"initialize"} (without a line end)',
    ]);
  });
});

describe("a child that breaks the protocol", () => {
  it("by answering another action", async () => {
    const { processor } = await startChild("answers-wrong-action.js");
    await processor.initialize(START);
    const failure = await failureOf(processor.processRecords(BATCH, 0));
    expect(failure).toMatchObject({
      reason: "protocol",
      lastStdout: Array(2).fill('{"action":"status","responseFor":"initialize"}'),
    });
    expect(failure.message).toContain(
      'answered "initialize" while the daemon waited for its answer to "processRecords"',
    );
    expect(await failureOf(processor.leaseLost())).toBe(failure);
  });

  it("by closing STDOUT", async () => {
    const { processor } = await startChild("closes-stdout.py");
    await processor.initialize(START);
    const failure = await failureOf(processor.processRecords(BATCH, 0));
    expect(failure).toMatchObject({ reason: "pipe", exitCode: undefined, signal: undefined });
    expect(failure.message).toContain("closed its STDOUT");
    await processor.stop();
  });

  it("by closing STDIN", async () => {
    const { processor } = await startChild("closes-stdin.py", [], { closeGraceMs: 10 });
    await processor.initialize(START);
    const failure = await failureOf(processor.processRecords(BATCH, 0));
    expect(failure).toMatchObject({ reason: "pipe", waitingFor: "processRecords" });
    expect(failure.message).toContain("closed its STDIN");
    expect(failure.cause).toMatchObject({ code: "EPIPE" });
    await processor.stop();
    expect(await processor.exited).toEqual({ signal: "SIGTERM" });
  });
});

describe("a child that cannot be started", () => {
  const cases: [
    name: string,
    file: string,
    cwd: string | undefined,
    what: RegExp,
    advice: RegExp,
  ][] = [
    [
      "is in no directory of PATH",
      "no-such-program",
      undefined,
      /no program "no-such-program"/,
      /looked in .*\/bin/,
    ],
    [
      "does not exist",
      "/no/such/program",
      undefined,
      /no file \/no\/such\/program/,
      /executableName/,
    ],
    ["does not exist here", "./program", "/tmp", /no file \/tmp\/program/, /relative path/],
    [
      "is not executable",
      fixture("not-executable.sh"),
      undefined,
      /is not executable/,
      /chmod \+x/,
    ],
    ["is a directory", fixture(""), undefined, /is a directory/, /Set executableName to a program/],
    [
      "has no interpreter",
      fixture("bad-interpreter.sh"),
      undefined,
      /its interpreter does not/,
      /first line/,
    ],
    [
      "has nowhere to run",
      process.execPath,
      "/no/such/dir",
      /working directory \/no\/such\/dir/,
      /Create/,
    ],
  ];

  it.each(cases)("because the program %s", async (_name, file, cwd, what, advice) => {
    const { start, events } = starter(file, ["an argument"], cwd === undefined ? {} : { cwd });
    const failure = await failureOf(start());
    expect(failure).toMatchObject({ reason: "spawn", pid: undefined, argv: [file, "an argument"] });
    expect(failure.message.split("\n")[0]).toMatch(what);
    expect(failure.message.split("\n")[1]).toContain('"an argument"');
    expect(failure.message.split("\n")[2]).toMatch(advice);
    expect(failure.cause).toBeInstanceOf(Error);
    expect(events.all).toEqual([]);
  });
});
