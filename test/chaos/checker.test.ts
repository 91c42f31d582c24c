// Tests the checker of the chaos run on histories in which one thing is wrong, or only appears to
// be.

import { describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import type { FaultEntry } from "./faultLog.ts";
import { type Life, parseLife } from "./journal.ts";
import { type Letter, parseLetters } from "./letters.ts";
import type { PutRecord } from "./putter.ts";

const BOUND_MS = 1_000;

const put = (n: number, more: Partial<PutRecord> = {}): PutRecord => ({
  key: "k",
  n,
  atMs: n,
  poison: false,
  ...more,
});

/** A child process that receives the records, one every 10 ms from its start. */
function life(
  pid: number,
  startedMs: number,
  numbers: readonly number[],
  more: Partial<Life> = {},
): Life {
  return {
    file: `${pid}.jsonl`,
    shardId: "shard",
    pid,
    daemonPid: 1,
    worker: "a",
    startedMs,
    initializedMs: startedMs + 1,
    from: "0",
    deliveries: numbers.map((n, index) => ({
      key: "k",
      n,
      seq: String(n),
      atMs: startedMs + 10 * (index + 1),
      poison: false,
    })),
    checkpoints: [],
    received: [],
    ended: false,
    ...more,
  };
}

const checkpoint = (upTo: string, atMs: number, error: string | null = null) => ({
  askedMs: atMs,
  answeredMs: atMs + 1,
  upTo,
  error,
});

function problems(
  ledger: readonly PutRecord[],
  lives: readonly Life[],
  faults: readonly FaultEntry[] = [],
  letters: readonly Letter[] = [],
): readonly string[] {
  return check({ ledger, lives, faults, letters }, BOUND_MS).problems;
}

const THREE = [put(1), put(2), put(3)];

describe("the checker", () => {
  it("reports nothing when nothing is wrong", () => {
    expect(problems(THREE, [life(10, 0, [1, 2, 3])])).toEqual([]);
  });

  it("reports a lost record", () => {
    expect(problems(THREE, [life(10, 0, [1, 3])])).toEqual([
      "LOST: k#2 was put and never delivered",
    ]);
  });

  it("reports a record that was never put", () => {
    expect(problems([put(1)], [life(10, 0, [1, 2])])).toEqual([
      "INVENTED: k#2 was delivered and never put",
    ]);
  });

  it("reports first deliveries out of order, but not repeated ones", () => {
    expect(problems(THREE, [life(10, 0, [1, 3, 2])])).toEqual(["ORDER: k#2 came after k#3"]);
    const killed: FaultEntry = { name: "killed", target: { who: "child", pid: 10 }, fromMs: 30 };
    expect(problems(THREE, [life(10, 0, [1, 2]), life(11, 50, [1, 2, 3])], [killed])).toEqual([]);
  });

  it("reports a record that waited too long", () => {
    expect(problems([put(1)], [life(10, BOUND_MS, [1])])).toEqual(["SLOW: k#1 waited 1009 ms"]);
  });
});

describe("a record that was delivered twice", () => {
  const [one, two] = [life(10, 0, [1, 2]), life(11, 50, [2, 3])];
  const fault = (target: FaultEntry["target"], fromMs = 30): FaultEntry => ({
    name: "fault",
    target,
    fromMs,
    untilMs: fromMs,
  });
  const unexplained = ["DUPLICATE: k#2 was delivered in 10.jsonl, then in 11.jsonl, for no reason"];

  it("needs a reason", () => {
    expect(problems(THREE, [one, two])).toEqual(unexplained);
    expect(problems(THREE, [life(10, 0, [1, 2, 2, 3])])).toEqual([
      "DUPLICATE: k#2 was delivered in 10.jsonl, then in 10.jsonl, for no reason",
    ]);
  });

  it("has a reason if its child, its daemon or the connection to the lease table had a fault", () => {
    for (const target of [
      { who: "child", pid: 10 },
      { who: "daemon", worker: "a", pid: 1 },
      { who: "dynamodb", worker: "a" },
    ] as const) {
      expect(problems(THREE, [one, two], [fault(target)])).toEqual([]);
    }
  });

  it("has no reason in a fault of others, a later fault, or an old one", () => {
    for (const each of [
      fault({ who: "child", pid: 12 }),
      fault({ who: "daemon", worker: "b", pid: 2 }),
      fault({ who: "dynamodb", worker: "b" }),
      fault({ who: "kinesis", worker: "a" }),
      fault({ who: "stream" }),
      fault({ who: "child", pid: 10 }, 70),
      fault({ who: "child", pid: 10 }, -100_000),
    ]) {
      expect(problems(THREE, [one, two], [each])).toEqual(unexplained);
    }
  });

  it("has no reason if its first child ended in order with a checkpoint", () => {
    const parted = {
      received: ["shutdownRequested", "leaseLost"],
      checkpoints: [checkpoint("1", 30)],
      ended: true,
    };
    const killed = fault({ who: "daemon", worker: "a", pid: 1 });
    const lives = [
      { ...one, ...parted },
      { ...two, from: "1" },
    ];
    expect(problems(THREE, lives, [killed])).toEqual(unexplained);
  });

  it("has a reason if the lease went to a worker that joined, and the child received leaseLost", () => {
    const joined = fault({ who: "daemon", worker: "b", pid: 2 });
    expect(problems(THREE, [{ ...one, received: ["leaseLost"] }, two], [joined])).toEqual([]);
    expect(problems(THREE, [{ ...one, received: ["leaseLost"] }, two])).toEqual(unexplained);
  });
});

describe("the lease table", () => {
  it("must not forget a checkpoint", () => {
    const first = life(10, 0, [1, 2], { checkpoints: [checkpoint("2", 30)], ended: true });
    const forgetful = life(11, 50, [3], { from: "1" });
    expect(problems(THREE, [first, forgetful])).toEqual([
      "FORGOTTEN: 11.jsonl began at 1, though 2 was stored for 10.jsonl",
    ]);
    expect(problems(THREE, [first, { ...forgetful, from: "2" }])).toEqual([]);
    const refused = { ...first, checkpoints: [checkpoint("2", 30, "ShutdownException")] };
    expect(problems(THREE, [refused, forgetful])).toEqual([]);
  });

  it("knows positions inside an aggregate", () => {
    const first = life(10, 0, [1, 2], { checkpoints: [checkpoint("7#3", 30)], ended: true });
    expect(problems(THREE, [first, life(11, 50, [3], { from: "7#3" })])).toEqual([]);
    expect(problems(THREE, [first, life(11, 50, [3], { from: "7#2" })])).toHaveLength(1);
    expect(problems(THREE, [first, life(11, 50, [3], { from: "10#0" })])).toEqual([]);
  });

  it("must not accept a checkpoint from a worker whose successor has started", () => {
    const first = life(10, 0, [1, 2], { checkpoints: [checkpoint("2", 60)] });
    const second = life(11, 50, [3], { from: "2" });
    expect(problems(THREE, [first, second])).toEqual([
      "STOLEN: 2 was taken of 10.jsonl after 11.jsonl began",
    ]);
  });

  it("may confirm again what it had stored before the successor started", () => {
    const asked = (...list: ReturnType<typeof checkpoint>[]) =>
      life(10, 0, [1, 2], { checkpoints: list });
    const second = life(11, 50, [3], { from: "2" });
    expect(problems(THREE, [asked(checkpoint("2", 30), checkpoint("2", 60)), second])).toEqual([]);
    expect(problems(THREE, [asked(checkpoint("1", 30), checkpoint("2", 60)), second])).toHaveLength(
      1,
    );
    const refused = checkpoint("2", 30, "ShutdownException");
    expect(problems(THREE, [asked(refused, checkpoint("2", 60)), second])).toHaveLength(1);
  });

  it("is not at fault if a child started late because it was stopped", () => {
    const first = life(10, 20, [1, 2, 3], { checkpoints: [checkpoint("3", 60)] });
    const late = life(11, 0, [], { initializedMs: 100 });
    expect(problems(THREE, [first, late])).toEqual([]);
    const stopped: FaultEntry = {
      name: "child stopped",
      target: { who: "child", pid: 11 },
      fromMs: 5,
      untilMs: 90,
    };
    const withOne = { ...late, deliveries: life(11, 95, [1]).deliveries };
    expect(problems(THREE, [first, withOne], [stopped])).toEqual([]);
    expect(problems(THREE, [first, withOne], [{ ...stopped, name: "child killed" }])).toEqual([
      "FORGOTTEN: 11.jsonl began at 0, though 3 was stored for 10.jsonl",
    ]);
  });
});

describe("poison", () => {
  const poisoned = [put(1), put(2, { poison: true }), put(3)];
  const lives = [life(10, 0, [1, 2, 3])];

  it("must have a dead letter", () => {
    expect(problems(poisoned, lives)).toEqual([
      "POISON: k#2 kills its processors, and has no dead letter",
    ]);
    expect(problems(poisoned, lives, [], [{ key: "k", n: 2 }])).toEqual([]);
  });

  it("is the only kind of record with a dead letter", () => {
    expect(problems(THREE, lives, [], [{ key: "k", n: 3 }])).toEqual([
      "HARMLESS: k#3 has a dead letter, and nothing is wrong with it",
    ]);
  });
});

describe("what is left behind", () => {
  it("may end in the middle of a line, in a journal and in the dead-letter file", () => {
    const begun = '{"is":"life","t":2,"startedAt":1,"shardId":"s","from":"0","pid":5,"daemon":4}\n';
    const record = '{"is":"record","t":3,"key":"k","n":1,"seq":"9"}\n';
    expect(parseLife("f", `${begun}${record}{"is":"rec`)?.deliveries).toEqual([
      { key: "k", n: 1, seq: "9", atMs: 3, poison: false },
    ]);
    expect(parseLife("f", '{"is":"li')).toBeUndefined();
    const data = Buffer.from("7 poison").toString("base64");
    const letter = JSON.stringify({ partitionKey: "k", data });
    expect(parseLetters(`${letter}\n{"partit\n${letter}\n`)).toEqual([
      { key: "k", n: 7 },
      { key: "k", n: 7 },
    ]);
  });
});
