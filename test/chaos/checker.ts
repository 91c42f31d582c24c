// The judge. It sees what was put, what the processors wrote and what was done to them, and nothing of the daemons' own
// words. Pure.
//
//   lost          a record that was put and that no processor was given;
//   order         a key's records, each at its first delivery, in another order than they were put;
//   duplicates    a record delivered again although nothing had happened to who had it before;
//   promises      a child that began before a checkpoint that the table had taken; a checkpoint taken from a worker
//                 after another one's child had begun;
//   poison        a record that kills its processors and is not among the dead letters, or one that is, and does not;
//   delay         a record that waited longer than the bound.

import { explain } from "./explain.ts";
import type { FaultEntry } from "./faultLog.ts";
import type { Delivery, Life } from "./journal.ts";
import type { Letter } from "./letters.ts";
import type { PutRecord } from "./putter.ts";

export interface Evidence {
  readonly ledger: readonly PutRecord[];
  readonly lives: readonly Life[];
  readonly faults: readonly FaultEntry[];
  readonly letters: readonly Letter[];
}

export interface Findings {
  readonly problems: readonly string[];
  readonly records: number;
  readonly lives: number;
  readonly poison: number;
  /** Deliveries beyond the first of each record. */
  readonly duplicates: number;
  /** Why they came: how many for each cause. */
  readonly causes: Readonly<Record<string, number>>;
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

interface Made {
  readonly delivery: Delivery;
  readonly life: Life;
}

export function check(
  { ledger, lives, faults, letters }: Evidence,
  delayBoundMs: number,
): Findings {
  const made = deliveriesByRecord(lives);
  const duplicates = judgeDuplicates(made, faults);
  const delays = delaysOf(ledger, made);
  const shards = byShard(lives, faults);
  return {
    problems: [
      ...findLost(ledger, made),
      ...findInvented(ledger, made),
      ...findDisorder(made),
      ...judgeLetters(ledger, letters),
      ...duplicates.problems,
      ...findForgottenCheckpoints(shards),
      ...findCheckpointsWithoutLease(shards),
      ...findSlow(delays, delayBoundMs),
    ],
    records: ledger.length,
    lives: lives.length,
    poison: ledger.filter(({ poison }) => poison).length,
    duplicates: duplicates.count,
    causes: duplicates.causes,
    delayMs: summary(delays.map(({ delayMs }) => delayMs)),
  };
}

const nameOf = (key: string, n: number) => `${key}#${n}`;

/** All deliveries of each record, by time. */
function deliveriesByRecord(lives: readonly Life[]): ReadonlyMap<string, readonly Made[]> {
  const made = new Map<string, Made[]>();
  for (const life of lives) {
    for (const delivery of life.deliveries) {
      const name = nameOf(delivery.key, delivery.n);
      const list = made.get(name) ?? [];
      if (list.length === 0) made.set(name, list);
      list.push({ delivery, life });
    }
  }
  for (const list of made.values()) list.sort((a, b) => a.delivery.atMs - b.delivery.atMs);
  return made;
}

type Deliveries = ReturnType<typeof deliveriesByRecord>;

function findLost(ledger: readonly PutRecord[], made: Deliveries): string[] {
  return ledger
    .filter(({ key, n }) => !made.has(nameOf(key, n)))
    .map(({ key, n }) => `LOST: ${nameOf(key, n)} was put and never delivered`);
}

function findInvented(ledger: readonly PutRecord[], made: Deliveries): string[] {
  const put = new Set(ledger.map(({ key, n }) => nameOf(key, n)));
  return [...made.keys()]
    .filter((name) => !put.has(name))
    .map((name) => `INVENTED: ${name} was delivered and never put`);
}

function judgeLetters(ledger: readonly PutRecord[], letters: readonly Letter[]): string[] {
  const buried = new Set(letters.map(({ key, n }) => nameOf(key, n)));
  return ledger.flatMap(({ key, n, poison }) => {
    const name = nameOf(key, n);
    if (poison === buried.has(name)) return [];
    return poison
      ? [`POISON: ${name} kills its processors, and is not among the dead letters`]
      : [`BURIED: ${name} is among the dead letters, and nothing is wrong with it`];
  });
}

function findDisorder(made: Deliveries): string[] {
  const firsts = new Map<string, Delivery[]>();
  for (const [first] of made.values()) {
    if (!first) continue;
    const { key } = first.delivery;
    firsts.set(key, [...(firsts.get(key) ?? []), first.delivery]);
  }
  return [...firsts].flatMap(([key, deliveries]) => {
    const inTime = deliveries.toSorted((a, b) => a.atMs - b.atMs);
    return inTime.flatMap(({ n }, index) => {
      const before = inTime[index - 1]?.n ?? -1;
      return n > before ? [] : [`ORDER: ${nameOf(key, n)} came after ${nameOf(key, before)}`];
    });
  });
}

function judgeDuplicates(made: Deliveries, faults: readonly FaultEntry[]) {
  const problems: string[] = [];
  const causes: Record<string, number> = {};
  let count = 0;
  for (const [name, list] of made) {
    for (let index = 1; index < list.length; index += 1) {
      const [before, again] = [list[index - 1], list[index]];
      if (!before || !again) continue;
      count += 1;
      const cause = explain(before.life, again.life, again.delivery.atMs, faults);
      if (cause) causes[cause] = (causes[cause] ?? 0) + 1;
      else {
        const where = `${before.life.file}, then in ${again.life.file}`;
        problems.push(`DUPLICATE: ${name} was delivered in ${where}, for no reason`);
      }
    }
  }
  return { problems, causes, count };
}

/**
 * The lives of each shard that were given records, in the order in which they began. One that was stopped on the way
 * may begin long after its time, and knows nothing of what came in between; nobody listens to it either.
 */
function byShard(lives: readonly Life[], faults: readonly FaultEntry[]) {
  const shards = new Map<string, Life[]>();
  for (const life of lives.toSorted((a, b) => a.initializedMs - b.initializedMs)) {
    if (life.deliveries.length === 0 || wasStoppedAtFirst(life, faults)) continue;
    const list = shards.get(life.shardId) ?? [];
    if (list.length === 0) shards.set(life.shardId, list);
    list.push(life);
  }
  return [...shards.values()];
}

function wasStoppedAtFirst(life: Life, faults: readonly FaultEntry[]): boolean {
  const untilMs = life.deliveries[0]?.atMs ?? life.initializedMs;
  return faults.some(
    (fault) =>
      fault.name.endsWith(" stopped") &&
      "pid" in fault.target &&
      [life.pid, life.daemonPid].includes(fault.target.pid) &&
      fault.fromMs < untilMs &&
      (fault.untilMs ?? untilMs) >= life.startedMs - SPAWN_MS,
  );
}

/** A daemon reads the lease and then starts the child. */
const SPAWN_MS = 1_000;

/** A child must begin at the last checkpoint that the table had taken before, or after it. */
function findForgottenCheckpoints(shards: ReturnType<typeof byShard>): string[] {
  return shards.flatMap((lives) =>
    lives.flatMap((life) => {
      const forgotten = lives
        .filter((other) => other !== life)
        .flatMap((other) => other.checkpoints.map((asked) => ({ ...asked, file: other.file })))
        .find(
          ({ error, answeredMs, upTo }) =>
            error === null && answeredMs < life.initializedMs && isBefore(life.from, upTo),
        );
      if (!forgotten) return [];
      const { upTo, file } = forgotten;
      return [
        `FORGOTTEN: ${life.file} began at ${life.from}, though ${upTo} was stored for ${file}`,
      ];
    }),
  );
}

/** Once another worker's child has begun, the lease is its worker's, and nobody else's checkpoint may be taken. */
function findCheckpointsWithoutLease(shards: ReturnType<typeof byShard>): string[] {
  return shards.flatMap((lives) =>
    lives.flatMap((life, index) => {
      const successor = lives[index + 1];
      if (!successor) return [];
      return life.checkpoints
        .filter(({ askedMs, error }) => error === null && askedMs > successor.initializedMs)
        .map(
          ({ upTo }) => `STOLEN: ${upTo} was taken of ${life.file} after ${successor.file} began`,
        );
    }),
  );
}

const WORDS = ["AT_TIMESTAMP", "TRIM_HORIZON", "LATEST"];

function isBefore(a: string, b: string): boolean {
  const rank = (text: string) =>
    WORDS.includes(text) ? -1n : text === "SHARD_END" ? END : BigInt(text);
  return rank(a) < rank(b);
}

const END = 10n ** 200n;

interface Delay {
  readonly name: string;
  readonly delayMs: number;
}

function delaysOf(ledger: readonly PutRecord[], made: Deliveries): readonly Delay[] {
  return ledger.flatMap(({ key, n, atMs }) => {
    const name = nameOf(key, n);
    const first = made.get(name)?.[0];
    return first ? [{ name, delayMs: Math.max(0, first.delivery.atMs - atMs) }] : [];
  });
}

function findSlow(delays: readonly Delay[], boundMs: number): string[] {
  return delays
    .filter(({ delayMs }) => delayMs > boundMs)
    .map(({ name, delayMs }) => `SLOW: ${name} waited ${Math.round(delayMs)} ms`);
}

function summary(values: readonly number[]): Findings["delayMs"] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
