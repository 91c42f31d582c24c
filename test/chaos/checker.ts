// Checks a run. It sees what was put, what the processors wrote and which faults they had. It does
// not read the daemons' logs. Pure.
//
//   lost          a record was put, and no processor received it;
//   order         a key's first deliveries came in another order than the puts;
//   duplicates    a record was delivered again, though its first processor had no fault;
//   promises      a child started before a checkpoint that the table had stored, or a worker's
//                 checkpoint was stored after another worker's child had started;
//   poison        a record that kills its processors has no dead letter, or a harmless one has;
//   delay         a record waited longer than the limit.

import { explain } from "./explain.ts";
import type { FaultEntry } from "./faultLog.ts";
import type { Delivery, Life } from "./journal.ts";
import type { Letter } from "./letters.ts";
import { findBrokenPromises } from "./promises.ts";
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
  /** How many deliveries were not the first of their record. */
  readonly duplicates: number;
  /** The causes of these deliveries, with a count for each. */
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
  const duplicates = explainDuplicates(made, faults, lives);
  const delays = delaysOf(ledger, made);
  return {
    problems: [
      ...findLost(ledger, made),
      ...findInvented(ledger, made),
      ...findDisorder(made),
      ...findLetterFaults(ledger, letters),
      ...duplicates.problems,
      ...findBrokenPromises(lives, faults),
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

/** All deliveries of each record, ordered by time. */
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

function findLetterFaults(ledger: readonly PutRecord[], letters: readonly Letter[]): string[] {
  const deadLettered = new Set(letters.map(({ key, n }) => nameOf(key, n)));
  return ledger.flatMap(({ key, n, poison }) => {
    const name = nameOf(key, n);
    if (poison === deadLettered.has(name)) return [];
    return poison
      ? [`POISON: ${name} kills its processors, and has no dead letter`]
      : [`HARMLESS: ${name} has a dead letter, and nothing is wrong with it`];
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

function explainDuplicates(
  made: Deliveries,
  faults: readonly FaultEntry[],
  lives: readonly Life[],
) {
  const problems: string[] = [];
  const causes: Record<string, number> = {};
  let count = 0;
  for (const [name, list] of made) {
    for (let index = 1; index < list.length; index += 1) {
      const [before, again] = [list[index - 1], list[index]];
      if (!before || !again) continue;
      count += 1;
      const cause = explain(before.life, again.life, again.delivery.atMs, faults, lives);
      if (cause) causes[cause] = (causes[cause] ?? 0) + 1;
      else {
        const where = `${before.life.file}, then in ${again.life.file}`;
        problems.push(`DUPLICATE: ${name} was delivered in ${where}, for no reason`);
      }
    }
  }
  return { problems, causes, count };
}

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
