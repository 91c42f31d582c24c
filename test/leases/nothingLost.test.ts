// Any tree of shards, any history, any rows deleted at any moment: what is in the stream and after
// the checkpoints is delivered. The application is a model of one worker; what it decides is
// decided by shard sync itself.

import fc from "fast-check";
import { expect, test } from "vitest";
import { childrenListed, finishedLeases } from "../../src/leases/decisions/cleanup.ts";
import {
  firstLeases,
  leasesMissingRelatives,
  missingLeases,
  trackedShards,
} from "../../src/leases/decisions/sync.ts";
import type { Lease, NewLease } from "../../src/leases/lease.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { InitialPosition, Shard } from "../../src/model/shard.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";

const INITIAL = [
  { type: "TRIM_HORIZON" },
  { type: "LATEST" },
  { type: "AT_TIMESTAMP", timestamp: new Date(0) },
] as const satisfies InitialPosition[];

type Step =
  | { readonly do: "split" | "merge" | "put" | "read" | "delete" | "expire"; readonly at: number }
  | { readonly do: "deleteSome" | "stripSome"; readonly among: number }
  | { readonly do: "cleanUp" | "start" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom("split", "merge", "put", "put", "read", "read", "read", "delete", "expire"),
    at: fc.nat({ max: 50 }),
  }),
  fc.record({ do: fc.constantFrom("deleteSome", "stripSome"), among: fc.nat() }),
  fc.record({ do: fc.constantFrom("cleanUp", "start") }),
);

interface Member {
  readonly id: string;
  readonly parents: readonly Member[];
  readonly start: bigint;
  readonly end: bigint;
  isClosed: boolean;
  isListed: boolean;
  /** Records that were put. */
  records: number;
  /** Of them, those that were delivered at any time. */
  readonly delivered: Set<number>;
  /** Where reading began: records before it are not asked for. */
  from: number;
}

/** Numbers of a shard's records begin here: those of younger shards are larger. */
const NUMBERS = 10_000;

class Model {
  readonly members: Member[] = [];
  readonly rows = new Map<string, Lease>();
  readonly #initial: InitialPosition;

  constructor(roots: number, initial: InitialPosition) {
    this.#initial = initial;
    const width = (LAST_HASH_KEY + 1n) / BigInt(roots);
    for (let i = 0; i < roots; i++) {
      const end = i === roots - 1 ? LAST_HASH_KEY : width * BigInt(i + 1) - 1n;
      this.#add([], width * BigInt(i), end);
    }
  }

  take(each: Step): void {
    if ("among" in each) {
      for (const row of this.#some(each.among)) {
        if (each.do === "stripSome") this.#strip(row);
        else if (this.rows.size > 1) this.rows.delete(row.shardId);
      }
      return;
    }
    if (!("at" in each)) {
      if (each.do === "cleanUp") this.#cleanUp();
      else this.sync();
      return;
    }
    const open = this.members.filter(({ isClosed }) => !isClosed);
    const any = <T>(of: readonly T[]) => of[each.at % Math.max(1, of.length)];
    switch (each.do) {
      case "split":
        this.#split(any(open));
        break;
      case "merge":
        this.#merge(any(open), open);
        break;
      case "put": {
        const shard = any(open);
        if (shard) shard.records++;
        break;
      }
      case "read":
        this.#read(any([...this.rows.values()]));
        break;
      case "delete":
        this.rows.delete(any([...this.rows.keys()]) ?? "");
        // Whoever looks at the table next begins with shard sync.
        this.sync();
        break;
      case "expire":
        this.#expire(any(this.members));
    }
  }

  /** Any subset of the rows: one bit for each. */
  #some(among: number): readonly Lease[] {
    return [...this.rows.values()].filter((_, index) => (among >> (index % 31)) & 1);
  }

  /** Leaves what every version of KCL writes. */
  #strip({ hashKeyRange: _, ...row }: Lease): void {
    this.rows.set(row.shardId, { ...row, parentShardIds: [], childShardIds: [] });
  }

  /** What a worker does with every scan, and what the audit does. */
  sync(isAudit = false): void {
    const shards = this.#list();
    if (this.rows.size === 0) {
      const first = firstLeases(
        shards.filter(({ endingSequenceNumber }) => !endingSequenceNumber),
        this.#initial,
      );
      if (!("create" in first)) throw new Error("the open shards leave a hole");
      // An application that begins anew: with an empty table nothing is known of the one before.
      for (const member of this.members)
        member.from =
          this.#initial.type === "TRIM_HORIZON" && !member.isClosed ? 0 : member.records;
      for (const lease of first.create) this.#create(lease);
      return;
    }
    const tracked = trackedShards([...this.rows.values()]);
    const { create, overdue } = missingLeases(shards, tracked, this.#initial, false);
    for (const lease of isAudit ? create : overdue) this.#create(lease);
  }

  /** Reads until nothing moves any more. */
  finish(): void {
    for (let before = ""; before !== this.#state(); ) {
      before = this.#state();
      this.sync(true);
      for (const row of [...this.rows.values()]) this.#read(row, Number.POSITIVE_INFINITY);
    }
  }

  /**
   * Records in the stream that nobody has ever got, of shards that the rows lead to: one that has a
   * row, behind its checkpoint; and one that comes of a shard that has one.
   */
  owed(): readonly string[] {
    return this.members.flatMap((member) => {
      if (!member.isListed) return [];
      const row = this.rows.get(member.id);
      const isOwed = row || ancestorsOf(member).some(({ id }) => this.rows.has(id));
      if (!isOwed) return [];
      const first = row ? this.#next(row, member) : 0;
      return numbers(first, member.records)
        .filter((record) => !member.delivered.has(record))
        .map((record) => `${member.id}#${record}`);
    });
  }

  isDelivered(record: string): boolean {
    const [id, number] = record.split("#");
    const member = this.members.find((one) => one.id === id);
    return !member?.isListed || member.delivered.has(Number(number));
  }

  /** Where reading the row goes on. */
  #next({ checkpoint: { sequenceNumber: at } }: Lease, member: Member): number {
    if (at === "SHARD_END") return member.records;
    if (at === "TRIM_HORIZON") return 0;
    if (at === "LATEST" || at === "AT_TIMESTAMP") return member.from;
    return Number(at) - this.#base(member) + 1;
  }

  #base(member: Member): number {
    return (this.members.indexOf(member) + 1) * NUMBERS;
  }

  #read(row: Lease | undefined, most = 2): void {
    const member = this.members.find(({ id }) => id === row?.shardId);
    if (!row || !member || row.checkpoint.sequenceNumber === "SHARD_END") return;
    const isBlocked = row.parentShardIds.some((id) => {
      const parent = this.rows.get(id);
      return parent && parent.checkpoint.sequenceNumber !== "SHARD_END";
    });
    if (isBlocked) return;
    if (!member.isListed) {
      this.#end(row, member);
      return;
    }
    const first = this.#next(row, member);
    const end = Math.min(member.records, first + most);
    for (const record of numbers(first, end)) member.delivered.add(record);
    if (end > first) this.#put(row, String(this.#base(member) + end - 1));
    const now = this.rows.get(row.shardId);
    if (now && member.isClosed && end === member.records) this.#end(now, member);
  }

  /**
   * As childLeases.ts: the children first, and those of a merge only when both parents have rows.
   */
  #end(row: Lease, member: Member): void {
    const { children } = childrenListed(row, this.#list());
    const born = this.members.filter(({ id }) => children.includes(id));
    const isEarly = born.some(
      ({ id, parents }) =>
        !this.rows.has(id) &&
        parents.length > 1 &&
        !parents.every((parent) => this.rows.has(parent.id)),
    );
    if (isEarly) return;
    for (const child of born) {
      this.#create({
        ...asListed(child, 0),
        checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 },
      });
    }
    this.rows.set(row.shardId, { ...row, childShardIds: children });
    this.#put(this.rows.get(member.id) ?? row, "SHARD_END");
  }

  #put(row: Lease, at: string): void {
    const checkpoint = parsePosition(at, 0);
    if (!checkpoint) throw new Error(`no position: ${at}`);
    this.rows.set(row.shardId, { ...row, checkpoint, counter: row.counter + 1 });
  }

  #create({ shardId, checkpoint, parentShardIds, hashKeyRange }: NewLease): void {
    if (this.rows.has(shardId)) return;
    this.rows.set(shardId, {
      ...{ shardId, checkpoint, parentShardIds, counter: 0, childShardIds: [] },
      ...(hashKeyRange && {
        hashKeyRange: {
          startingHashKey: hashKeyRange.startingHashKey,
          endingHashKey: hashKeyRange.endingHashKey,
        },
      }),
      ownerSwitchesSinceCheckpoint: 0,
    });
    const member = this.members.find(({ id }) => id === shardId);
    if (
      member &&
      (checkpoint.sequenceNumber === "LATEST" || checkpoint.sequenceNumber === "AT_TIMESTAMP")
    )
      member.from = member.records;
  }

  #cleanUp(): void {
    for (const { shardId } of finishedLeases([...this.rows.values()])) this.rows.delete(shardId);
  }

  #split(shard: Member | undefined): void {
    if (!shard || shard.end - shard.start < 2n) return;
    const middle = (shard.start + shard.end) / 2n;
    shard.isClosed = true;
    this.#add([shard], shard.start, middle);
    this.#add([shard], middle + 1n, shard.end);
  }

  #merge(left: Member | undefined, open: readonly Member[]): void {
    const right = left && open.find(({ start }) => start === left.end + 1n);
    if (!left || !right) return;
    left.isClosed = true;
    right.isClosed = true;
    this.#add([left, right], left.start, right.end);
  }

  /** Closed shards leave the stream with their records, parents before their children. */
  #expire(shard: Member | undefined): void {
    if (!shard?.isClosed || ancestorsOf(shard).some(({ isListed }) => isListed)) return;
    shard.isListed = false;
  }

  #list(): readonly Shard[] {
    return this.members
      .filter(({ isListed }) => isListed)
      .map((each) => asListed(each, this.#base(each)));
  }

  #add(parents: readonly Member[], start: bigint, end: bigint): void {
    const id = `shardId-${String(this.members.length).padStart(12, "0")}`;
    this.members.push({
      ...{ id, parents, start, end, records: 0, from: 0 },
      ...{ isClosed: false, isListed: true, delivered: new Set<number>() },
    });
  }

  #state(): string {
    return [...this.rows.values()].map(({ shardId, counter }) => `${shardId} ${counter}`).join();
  }
}

function asListed({ id, parents, start, end, isClosed }: Member, base: number): Shard {
  return {
    shardId: id,
    parentShardIds: parents.map((parent) => parent.id),
    hashKeyRange: { startingHashKey: String(start), endingHashKey: String(end) },
    startingSequenceNumber: String(base),
    ...(isClosed && { endingSequenceNumber: String(base + NUMBERS - 1) }),
  };
}

function ancestorsOf({ parents }: Member): readonly Member[] {
  return parents.flatMap((parent) => [parent, ...ancestorsOf(parent)]);
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

const histories = fc.record({
  roots: fc.integer({ min: 1, max: 3 }),
  initial: fc.constantFrom(...INITIAL),
  steps: fc.array(step, { maxLength: 60 }),
});

test("no shard that the remaining rows lead to is lost, whichever rows are deleted", () => {
  fc.assert(
    fc.property(histories, ({ roots, initial, steps }) => {
      const model = new Model(roots, initial);
      model.sync();
      for (const each of steps) model.take(each);
      const owed = model.owed();
      model.finish();
      expect(owed.filter((record) => !model.isDelivered(record))).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test("from TRIM_HORIZON nothing is lost as long as one row remains", () => {
  fc.assert(
    fc.property(histories, ({ roots, steps }) => {
      const model = new Model(roots, { type: "TRIM_HORIZON" });
      model.sync();
      for (const each of steps) {
        // The last row takes with it what is known of the application.
        if (each.do !== "delete" || model.rows.size > 1) model.take(each);
      }
      model.finish();
      const lost = model.members.flatMap(({ id, records }) =>
        numbers(0, records).map((n) => `${id}#${n}`),
      );
      expect(lost.filter((record) => !model.isDelivered(record))).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test("rows deleted in the fleet's own order never miss relatives", () => {
  fc.assert(
    fc.property(histories, ({ roots, initial, steps }) => {
      const model = new Model(roots, initial);
      model.sync();
      for (const each of steps) {
        if (["delete", "deleteSome", "stripSome", "expire"].includes(each.do)) continue;
        model.take(each);
        const leases = [...model.rows.values()];
        expect(leasesMissingRelatives(leases, new Set(model.rows.keys()))).toEqual([]);
      }
    }),
  );
});
