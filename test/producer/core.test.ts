// The producer's core against a model of the service in virtual time: whatever the records, the
// faults and the reshardings, each record arrives, where `put` said, and in order.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../src/events.ts";
import { ProducerCore, sizeOf } from "../../src/producer/core.ts";
import { isStored, type Outcome, type UserRecord } from "../../src/producer/record.ts";
import { DEFAULT_SETTINGS, type ProducerSettings } from "../../src/producer/settings.ts";
import { type ModelOptions, randomFrom, StreamModel, VirtualClock } from "./serviceModel.ts";

interface World {
  readonly clock: VirtualClock;
  readonly model: StreamModel;
  readonly core: ProducerCore;
  readonly events: readonly Event[];
}

function worldOf(
  settings: Partial<ProducerSettings> = {},
  options: Partial<ModelOptions> = {},
  seed = 1,
): World {
  const clock = new VirtualClock();
  const random = randomFrom(seed);
  const model = new StreamModel({ clock, random, shards: 2, latencyMs: 20, ...options });
  const events: Event[] = [];
  const core = new ProducerCore({
    settings: { ...DEFAULT_SETTINGS, ...settings },
    callsOf: () => model,
    clock,
    emit: (event) => events.push(event),
    random,
  });
  return { clock, model, core, events };
}

/** A world in which the shards are known. */
async function listed(settings: Partial<ProducerSettings>): Promise<World> {
  const world = worldOf(settings);
  world.core.prepare("s");
  await world.clock.until(world.clock.sleep(100));
  return world;
}

async function put({ core }: World, record: UserRecord): Promise<Outcome> {
  if (!core.tryRoom(sizeOf(record))) await core.room(sizeOf(record));
  return new Promise((resolve) => core.put("s", record, resolve));
}

const textRecord = (partitionKey: string, text: string): UserRecord => ({
  partitionKey,
  data: Buffer.from(text),
});

/** Ends when every record has its outcome and the producer is closed. */
async function ended(world: World, outcomes: readonly Promise<Outcome>[]): Promise<Outcome[]> {
  const all = await world.clock.until(Promise.all(outcomes));
  expect(await world.clock.until(world.core.close())).toBe(0);
  return all;
}

const message = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "f", "ключ"),
  explicit: fc.option(fc.bigInt(0n, 2n ** 128n - 1n), { nil: undefined, freq: 6 }),
  size: fc.constantFrom(0, 10, 300, 20_000, 60_000),
  pauseMs: fc.constantFrom(0, 0, 0, 5, 150),
  reshard: fc.constantFrom("", "", "", "", "split", "merge"),
});
/** A message, and others like it without a pause. */
const burst = fc
  .record({ message, more: fc.constantFrom(0, 0, 7) })
  .map(({ message: first, more }) => [
    first,
    ...Array.from({ length: more }, () => ({ ...first, pauseMs: 0, reshard: "" as const })),
  ]);
/** By default, fast-check keeps lists short: then two envelopes of one key hardly wait at once. */
const messages = fc
  .array(burst, { minLength: 1, maxLength: 60, size: "max" })
  .map((bursts) => bursts.flat());
type Message = ReturnType<typeof messages.generate>["value"][number];
const faults = fc.record({
  shards: fc.integer({ min: 1, max: 5 }),
  cutBefore: fc.constantFrom(0, 0.2),
  cutAfter: fc.constantFrom(0, 0.2),
  internalFailures: fc.constantFrom(0, 0.2),
  latencyMs: fc.constantFrom(20, 200),
  /** The smaller one makes the service refuse aggregates, which are then taken apart. */
  maxRecordBytes: fc.constantFrom(1024 * 1024, 65_000),
  hidesLimit: fc.constant(true),
});
/** Two records of 60,000 bytes fit, so that the smaller limit of the service matters. */
const MAX_AGGREGATE_BYTES = 125_000;
const RUNS = 60;

describe("the producer", () => {
  it("delivers each record where put said, and in order, whatever happens", async () => {
    let runsWithQueue = 0;
    await fc.assert(
      fc.asyncProperty(messages, faults, fc.integer(), async (list, wrong, seed) => {
        const world = worldOf({ aggregationMaxSize: MAX_AGGREGATE_BYTES }, wrong, seed);
        const { outcomes, hadQueue } = await world.clock.until(putAll(world, list));
        if (hadQueue) runsWithQueue += 1;
        checkDelivery(list, await ended(world, outcomes), world.model);
      }),
      { numRuns: RUNS },
    );
    // Unless two envelopes of one key wait at once, nothing can change their order.
    expect(runsWithQueue).toBeGreaterThan(RUNS / 3);
  });
});

/** @returns also whether the records of one unit that waited at once needed two envelopes. */
async function putAll(world: World, list: readonly Message[]) {
  const outcomes: Promise<Outcome>[] = [];
  const waiting = new Map<string, number>();
  let hadQueue = false;
  for (const [index, message] of list.entries()) {
    const { key, explicit, size, pauseMs, reshard } = message;
    if (pauseMs > 0) await world.clock.sleep(pauseMs);
    if (reshard !== "") world.model[reshard]();
    const unit = unitOf(message);
    const bytes = size + (waiting.get(unit) ?? 0);
    waiting.set(unit, bytes);
    hadQueue ||= bytes > MAX_AGGREGATE_BYTES;
    const record = textRecord(key, `${index} ${"x".repeat(size)}`);
    const hashed = explicit === undefined ? {} : { explicitHashKey: String(explicit) };
    const outcome = put(world, { ...record, ...hashed }).finally(() =>
      waiting.set(unit, (waiting.get(unit) ?? 0) - size),
    );
    outcomes.push(outcome);
  }
  return { outcomes, hadQueue };
}

describe("the order of one key", () => {
  const size = 10_000;

  /** Puts all records at once: every envelope but the last is full, and waits behind the others. */
  async function burst(world: World, count: number, during: () => Promise<void>) {
    const list = Array.from({ length: count }, () => ({ key: "k", explicit: undefined }));
    const outcomes = list.map(({ key }, i) => put(world, textRecord(key, text(i))));
    await world.clock.until(during());
    checkDelivery(list, await ended(world, outcomes), world.model);
  }

  const text = (index: number) => `${index} ${"x".repeat(size)}`;
  const seeds = [1, 2, 3, 4, 5];

  it.each(seeds)("survives slow responses, refusals and reshardings (seed %i)", async (seed) => {
    const faults = { shards: 1, latencyMs: 200, internalFailures: 0.2, cutAfter: 0.1 };
    const world = worldOf({}, faults, seed);
    await burst(world, 200, async () => {
      for (const reshard of ["split", "split", "merge", "split", "merge"] as const) {
        await world.clock.sleep(1_500);
        world.model[reshard]();
      }
    });
    expect(world.model.kept.length).toBeGreaterThanOrEqual(200 / 5);
  });

  it.each(seeds)("survives refusals after aggregates were taken apart (seed %i)", async (seed) => {
    const limits = { maxRecordBytes: 2 * size, hidesLimit: true };
    const world = worldOf({}, { latencyMs: 200, internalFailures: 0.2, ...limits }, seed);
    await burst(world, 100, async () => {
      await world.clock.sleep(1_500);
      world.model.split();
    });
    expect(world.model.kept).toHaveLength(100);
  });
});

const named = (name: string) => Object.assign(new Error(`it is ${name}`), { name });
const throttled = named("ProvisionedThroughputExceededException");

describe("what a user may wait for", () => {
  it("sends a refused record again without limit, unless recordTtl is set", async () => {
    const patient = worldOf();
    patient.model.failWith = throttled;
    const stored = put(patient, textRecord("k", "x"));
    await patient.clock.until(patient.clock.sleep(600_000));
    patient.model.failWith = undefined;
    const [outcome] = await ended(patient, [stored]);
    expect(outcome && isStored(outcome)).toBe(true);

    const hasty = worldOf({ recordTtl: 30_000 });
    hasty.model.failWith = throttled;
    const [expired] = await hasty.clock.until(Promise.all([put(hasty, textRecord("k", "x"))]));
    expect(expired).toMatchObject({ errorCode: "Expired" });
    expect(expired?.attempts.at(-1)).toMatchObject({ success: false, errorCode: "Expired" });
    expect(hasty.clock.monotonicMs()).toBeLessThan(60_000);
  });

  it("fails a throttled record at once with failIfThrottled", async () => {
    const world = worldOf({ failIfThrottled: true });
    world.model.failWith = throttled;
    const outcome = await world.clock.until(put(world, textRecord("k", "x")));
    expect(outcome).toMatchObject({ errorCode: throttled.name, attempts: [{ success: false }] });
  });

  it("fails or waits when only an operator can help, and says so once in a while", async () => {
    const failing = worldOf();
    failing.model.failWith = named("AccessDeniedException");
    expect(await failing.clock.until(put(failing, textRecord("k", "x")))).toMatchObject({
      errorCode: "AccessDeniedException",
    });
    const waiting = worldOf({ onPermanentError: "wait" });
    waiting.model.failWith = named("KMSDisabledException");
    const outcome = put(waiting, textRecord("k", "x"));
    await waiting.clock.until(waiting.clock.sleep(60_000));
    waiting.model.failWith = undefined;
    expect(isStored((await ended(waiting, [outcome]))[0] ?? (await outcome))).toBe(true);
    const reports = waiting.events.filter(({ type }) => type === "putRefused");
    expect(reports.length).toBeGreaterThan(1);
    expect(reports.length).toBeLessThan(8);
  });

  it("fails the one record that the service cannot accept, and stores the 499 others", async () => {
    const world = worldOf({}, { maxRecordBytes: 500_000, hidesLimit: true });
    const records = Array.from({ length: 500 }, (_, i) =>
      textRecord(`key ${i}`, i === 250 ? "x".repeat(600_000) : `${i}`),
    );
    const outcomes = await ended(
      world,
      records.map((record) => put(world, record)),
    );
    const failed = outcomes.flatMap((outcome, i) => (isStored(outcome) ? [] : [i]));
    expect(failed).toEqual([250]);
  });

  it("holds no more than maxInFlightBytes, and goes on when there is room", async () => {
    const world = worldOf({ maxInFlightBytes: 2 ** 20 });
    world.model.failWith = throttled;
    let taken = 0;
    const puts = Array.from({ length: 30 }, async (_, i) => {
      await world.core.room(100_001);
      taken += 1;
      return new Promise<Outcome>((resolve) =>
        world.core.put("s", textRecord("k", `${i % 10}`.repeat(100_000)), resolve),
      );
    });
    await world.clock.until(world.clock.sleep(60_000));
    expect(taken).toBe(10);
    world.model.failWith = undefined;
    expect((await ended(world, puts)).every(isStored)).toBe(true);
  });

  it("ends flush and close within their limits, and counts what has no outcome", async () => {
    const world = worldOf();
    world.model.failWith = named("InternalFailure");
    const outcomes = [put(world, textRecord("a", "x")), put(world, textRecord("b", "x"))];
    expect(await world.clock.until(world.core.flush(5_000))).toBe(2);
    expect(await world.clock.until(world.core.close(5_000))).toBe(2);
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ errorCode: "NotStored" });
    }
    expect(world.core.outstanding).toBe(0);
  });

  it("settles each record once, and calls no more, if it ends after a call was halved", async () => {
    const world = await listed({ aggregationEnabled: false });
    // The first call is refused; the first half is stored, and the second has no response.
    const hangs = new Promise<never>(() => {});
    const invalid = () => Promise.reject(named("ValidationException"));
    const store = world.model.put.bind(world.model);
    const calls = [invalid, store, () => hangs];
    world.model.put = async (envelopes) => (calls.shift() ?? store)(envelopes);
    const outcomes: Outcome[] = [];
    const settle = (outcome: Outcome) => outcomes.push(outcome);
    for (const key of ["a", "b", "c", "d"]) world.core.put("s", textRecord(key, key), settle);
    expect(await world.clock.until(world.core.close(5_000))).toBe(2);
    expect(outcomes.map(isStored)).toEqual([true, true, false, false]);
    expect(world.core.outstanding).toBe(0);
  });

  it("sends no half of a call after it has ended", async () => {
    const world = await listed({ aggregationEnabled: false });
    const sent: number[] = [];
    world.model.put = async (envelopes) => {
      sent.push(envelopes.length);
      if (sent.length > 1) await world.clock.sleep(60_000);
      throw named("ValidationException");
    };
    const outcomes = ["a", "b", "c", "d"].map((key) => put(world, textRecord(key, key)));
    expect(await world.clock.until(world.core.close(5_000))).toBe(4);
    await world.clock.until(Promise.all([...outcomes, world.clock.sleep(120_000)]));
    expect(sent).toEqual([4, 2]);
  });

  it("sends records alone while the shards are unknown, and aggregates them afterwards", async () => {
    const world = worldOf();
    world.model.failListing = named("LimitExceededException");
    const early = ["a", "b", "c"].map((key) => put(world, textRecord(key, "early")));
    await world.clock.until(Promise.all(early));
    expect(world.model.kept).toHaveLength(3);
    world.model.failListing = undefined;
    await world.clock.until(world.clock.sleep(60_000));
    const late = Array.from({ length: 100 }, (_, i) => put(world, textRecord(`k${i}`, "late")));
    await ended(world, late);
    expect(world.model.kept).toHaveLength(3 + 2);
  });
});

it("shares one saturated shard between three producers, with few refusals", async () => {
  const clock = new VirtualClock();
  const random = randomFrom(7);
  const model = new StreamModel({ clock, random, shards: 1, latencyMs: 20 });
  const settings = { ...DEFAULT_SETTINGS, maxInFlightBytes: 2 ** 21 };
  const parts = { settings, callsOf: () => model, clock, emit: () => {}, random };
  const cores = [1, 2, 3].map(() => new ProducerCore(parts));
  const data = Buffer.alloc(10_000);
  let isOver = false;
  let key = 0;
  const feeding = cores.map(async (core) => {
    while (!isOver) {
      await core.room(10_010);
      key += 1;
      core.put("s", { partitionKey: `${key}`, data }, () => {});
    }
  });
  await clock.until(clock.sleep(20_000));
  const before = { bytes: storedBytes(model), entries: model.entries, refused: model.refused };
  await clock.until(clock.sleep(60_000));
  const bytes = storedBytes(model) - before.bytes;
  const refused = (model.refused - before.refused) / (model.entries - before.entries);
  isOver = true;
  await clock.until(Promise.all([...feeding, ...cores.map((core) => core.close())]));
  expect(bytes).toBeGreaterThan(0.95 * 60 * 2 ** 20);
  expect(refused).toBeLessThan(0.05);
});

function storedBytes({ kept }: StreamModel): number {
  return kept.reduce((sum, { data }) => sum + data.length, 0);
}

function checkDelivery(
  list: readonly { readonly key: string; readonly explicit: bigint | undefined }[],
  outcomes: readonly Outcome[],
  model: StreamModel,
): void {
  const delivered = model
    .delivered()
    .map(({ at, data }) => ({ at, index: Number.parseInt(data, 10) }));
  const placesOf = new Map<number, string[]>();
  for (const { at, index } of delivered) {
    placesOf.set(index, [...(placesOf.get(index) ?? []), at]);
  }
  outcomes.forEach((outcome, index) => {
    if (!isStored(outcome)) throw new Error(`record ${index} failed: ${outcome.errorCode}`);
    const { shardId, sequenceNumber, subSequenceNumber, attempts } = outcome;
    const places = placesOf.get(index) ?? [];
    expect(places).toContain(`${shardId} ${sequenceNumber} ${subSequenceNumber}`);
    // A duplicate only where an attempt says so.
    const doubtful = attempts.filter(({ maybeStored }) => maybeStored).length;
    expect(places.length).toBeLessThanOrEqual(1 + doubtful);
  });
  for (const unit of new Set(list.map(unitOf))) {
    checkOrder(
      delivered.filter(({ index }) => {
        const record = list[index];
        return record !== undefined && unitOf(record) === unit;
      }),
    );
  }
}

/**
 * Everything of one unit, in the order of storage. An envelope that may be stored is sent again, so
 * its records may arrive twice, but nothing later arrives before the last copy.
 */
function checkOrder(arrived: readonly { readonly at: string; readonly index: number }[]): void {
  const seen = new Set<number>();
  let newest = -1;
  let previous = { record: "", first: -1, index: -1 };
  for (const { at, index } of arrived) {
    const record = at.slice(0, at.lastIndexOf(" "));
    const isSameRecord = record === previous.record;
    if (isSameRecord) expect(index).toBeGreaterThan(previous.index);
    else expect(index).toBeGreaterThanOrEqual(previous.first);
    if (!seen.has(index)) expect(index).toBeGreaterThan(newest);
    seen.add(index);
    newest = Math.max(newest, index);
    previous = { record, first: isSameRecord ? previous.first : index, index };
  }
}

/** Records of one unit keep their order. */
function unitOf({
  key,
  explicit,
}: {
  readonly key: string;
  readonly explicit: bigint | undefined;
}) {
  return String(explicit ?? key);
}
