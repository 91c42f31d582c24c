// The connector of a shard over many lives, against a target that fails at will. Whatever happens,
// the stored position is never ahead of the target, and no record is missing at the end.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Checkpointer } from "#client";
import type { Clock } from "../../src/clock.ts";
import { deadLetters } from "../../src/connectors/deadLetters.ts";
import { Delivery } from "../../src/connectors/deliver.ts";
import {
  type EmitOutcome,
  type Emitter,
  type Item,
  TargetProblem,
} from "../../src/connectors/pipeline.ts";
import { ShardConnector } from "../../src/connectors/shardConnector.ts";

interface NumberItem extends Item {
  readonly number: number;
}

/** What the world decides next: pseudo-random numbers from a seed. */
class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#state >>> 8) % limit;
  }
}

const BAD = 7;
const FILTERED = 5;
const isBad = (number: number) => number % BAD === 0;
const isFiltered = (number: number) => number % FILTERED === 0;

/** All that outlives a connector: the target, the dead letters and the stored position. */
class World {
  readonly chance: Chance;
  readonly stored = new Map<number, number>();
  readonly objects = new Map<string, readonly number[]>();
  readonly letters = new Set<number>();
  position = 0;
  isEnded = false;

  constructor(chance: Chance) {
    this.chance = chance;
  }

  isSettled(number: number): boolean {
    return isFiltered(number) || this.stored.has(number) || this.letters.has(number);
  }
}

/** One life: after `calls` calls to the outside it is killed, and nothing that it does counts. */
class Life {
  readonly world: World;
  #left: number;

  constructor(world: World, calls: number) {
    this.world = world;
    this.#left = calls;
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }

  /** Takes place in one step, unless the life ends before. Sometimes its answer is lost. */
  async call<T>(act: () => T): Promise<T> {
    await aMoment();
    if (this.isDead) return new Promise(() => {});
    const value = act();
    this.#left -= 1;
    if (this.isDead) return new Promise(() => {});
    return value;
  }
}

const LIMITS_MS = 1_000;

/** Back-off takes a step; a buffer's time passes now and then. */
function clockOf(life: Life): Clock {
  let ms = 0;
  return {
    now: () => 0,
    monotonicMs: () => (ms += 1),
    async sleep(lasting, signal) {
      const isTimer = lasting > 2;
      for (let step = 0; step < 50 || isTimer; step += 1) {
        await aMoment();
        if (signal?.aborted || life.isDead || !isTimer) return;
        if (life.world.chance.below(6) === 0) return;
      }
    },
  };
}

function connectorOf(life: Life, emitter: Emitter<NumberItem>, records: number) {
  const clock = clockOf(life);
  const { world } = life;
  const sink = {
    send: (letters: readonly { readonly sequenceNumber: string }[]) =>
      life.call(() => {
        for (const { sequenceNumber } of letters) world.letters.add(Number(sequenceNumber));
      }),
    close() {},
  };
  const log = () => {};
  const origin = { applicationName: "a", streamName: "s", workerId: "w" };
  return new ShardConnector("shardId-0", {
    transformer: { toObjects: ({ sequenceNumber }) => [Number(sequenceNumber)] },
    filter: { keeps: (object) => !isFiltered(Number(object)) },
    emitter,
    delivery: new Delivery({
      emitter,
      deadLetters: deadLetters({ sink, origin, clock, log }),
      clock,
      random: () => 0,
      log,
      backoff: { baseMs: 1, capMs: 1 },
      retryLimit: undefined,
    }),
    limits: { records, bytes: 25, ms: LIMITS_MS },
    clock,
  });
}

/** Stores numbers in any way that a target may: all, some, none, refusing some. */
function moodyEmitter(life: Life): Emitter<NumberItem> {
  const { world } = life;
  return {
    target: "a list",
    check: async () => {},
    toItem: toNumberItem,
    placeOf: () => "",
    textOf: () => "",
    emit: (items) =>
      life.call((): EmitOutcome<NumberItem> => {
        const refused = items.filter(({ number }) => isBad(number));
        const good = items.filter(({ number }) => !isBad(number));
        const mood = world.chance.below(5);
        if (mood === 0) throw new TargetProblem("unavailable", "away");
        const kept = mood === 1 ? good.slice(0, good.length / 2) : good;
        for (const { number } of kept)
          world.stored.set(number, (world.stored.get(number) ?? 0) + 1);
        if (mood === 2) throw new Error("the answer is lost");
        const again = good.slice(kept.length);
        return { again: again.map(because), refused: refused.map(because) };
      }),
    close: async () => {},
  };
}

const because = (item: NumberItem) => ({ item, reason: "because" });

function toNumberItem(object: unknown, record: NumberItem["record"]): NumberItem {
  return { record, number: Number(object), bytes: 5 };
}

/** One object for each kind of number, named by its first. One PUT at a time. */
function objectEmitter(life: Life): Emitter<NumberItem> {
  const { world } = life;
  return {
    ...moodyEmitter(life),
    needsStoredPosition: true,
    async emit(items) {
      for (const kind of [0, 1, 2]) {
        const numbers = items.map(({ number }) => number).filter((number) => number % 3 === kind);
        if (numbers.length === 0) continue;
        await life.call(() => {
          world.objects.set(`${kind}/${numbers[0]}`, numbers);
          for (const number of numbers) world.stored.set(number, 1);
        });
      }
      return { again: [], refused: [] };
    },
  };
}

/** Delivers everything after the stored position in lists of any length, and ends the shard. */
async function live(
  life: Life,
  connector: ShardConnector<NumberItem>,
  count: number,
): Promise<void> {
  const { world } = life;
  let delivered = world.position;
  const checkpointer = {
    checkpoint: (place?: { readonly sequenceNumber: string }) =>
      life.call(() => {
        const position = place ? Number(place.sequenceNumber) : count;
        for (let number = 1; number <= position; number += 1) {
          if (!world.isSettled(number)) throw new Error(`position ${position} without ${number}`);
        }
        expect(position).toBeLessThanOrEqual(delivered);
        expect(position).toBeGreaterThanOrEqual(world.position);
        world.position = position;
        if (!place) world.isEnded = true;
      }),
  } as unknown as Checkpointer;
  const turn = { checkpointer, log: async () => {} };
  for (let next = world.position + 1; next <= count; ) {
    const length = world.chance.below(9);
    const records = Array.from({ length: Math.min(length, count - next + 1) }, (_, index) => ({
      data: "",
      partitionKey: "k",
      sequenceNumber: String(next + index),
      subSequenceNumber: 0,
      approximateArrivalTimestamp: 0,
    }));
    next += records.length;
    delivered += records.length;
    await connector.processRecords(records, turn);
    for (let idle = world.chance.below(9); idle > 0; idle -= 1) await aMoment();
  }
  if (world.chance.below(4) > 0) await connector.shardEnded(turn);
  else await connector.shutdownRequested(turn);
}

async function liveUntilKilled(life: Life, connector: ShardConnector<NumberItem>, count: number) {
  let isOver = false;
  const killed = (async () => {
    while (!life.isDead && !isOver) await aMoment();
  })();
  await Promise.race([live(life, connector, count), killed]);
  isOver = true;
}

function aMoment(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const MANY = 1_000_000;

async function liveToTheEnd(
  world: World,
  deaths: readonly number[],
  count: number,
  emitterOf: (life: Life) => Emitter<NumberItem>,
  records: number,
): Promise<void> {
  for (let life = 0; !world.isEnded && life < 200; life += 1) {
    const one = new Life(world, deaths[life] ?? MANY);
    await liveUntilKilled(one, connectorOf(one, emitterOf(one), records), count);
  }
  expect(world.isEnded).toBe(true);
}

const inputs = [
  fc.nat(),
  fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 6 }),
  fc.integer({ min: 0, max: 60 }),
  fc.integer({ min: 1, max: 9 }),
] as const;

describe("the connector of a shard", () => {
  it("loses nothing, and never stores a position ahead of the target", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(...inputs, async (seed, deaths, count, records) => {
        const world = new World(new Chance(seed));
        await liveToTheEnd(world, deaths, count, moodyEmitter, records);
        const missing = numbersTo(count).filter((number) => !world.isSettled(number));
        expect(missing).toEqual([]);
        expect([...world.letters].filter((number) => !isBad(number))).toEqual([]);
      }),
      { numRuns: 150 },
    ),
  );

  it("keeps each record in one object, whenever it is killed", { timeout: 120_000 }, () =>
    fc.assert(
      fc.asyncProperty(...inputs, async (seed, deaths, count, records) => {
        const world = new World(new Chance(seed));
        await liveToTheEnd(world, deaths, count, objectEmitter, records);
        const union = [...world.objects.values()].flat().toSorted((a, b) => a - b);
        expect(union).toEqual(numbersTo(count).filter((number) => !isFiltered(number)));
      }),
      { numRuns: 150 },
    ),
  );
});

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
