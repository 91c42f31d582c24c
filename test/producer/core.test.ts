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

const messages = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b", "c", "d", "e", "f", "ключ"),
    explicit: fc.option(fc.bigInt(0n, 2n ** 128n - 1n), { nil: undefined, freq: 6 }),
    size: fc.constantFrom(0, 10, 300, 20_000, 60_000),
    pauseMs: fc.constantFrom(0, 0, 0, 5, 150),
    reshard: fc.constantFrom("", "", "", "", "split", "merge"),
  }),
  { minLength: 1, maxLength: 60 },
);
const faults = fc.record({
  shards: fc.integer({ min: 1, max: 5 }),
  cutBefore: fc.constantFrom(0, 0.2),
  cutAfter: fc.constantFrom(0, 0.2),
  internalFailures: fc.constantFrom(0, 0.2),
});

describe("the producer", () => {
  it("delivers each record where put said, and in order, whatever happens", async () => {
    await fc.assert(
      fc.asyncProperty(messages, faults, fc.integer(), async (list, wrong, seed) => {
        const world = worldOf({ aggregationMaxSize: 51_200 }, wrong, seed);
        const { clock, model } = world;
        const putAll = async () => {
          const outcomes: Promise<Outcome>[] = [];
          for (const [index, { key, explicit, size, pauseMs, reshard }] of list.entries()) {
            if (pauseMs > 0) await clock.sleep(pauseMs);
            if (reshard !== "") model[reshard]();
            const record = textRecord(key, `${index} ${"x".repeat(size)}`);
            const hashed = explicit === undefined ? {} : { explicitHashKey: String(explicit) };
            outcomes.push(put(world, { ...record, ...hashed }));
          }
          return outcomes;
        };
        const outcomes = await ended(world, await clock.until(putAll()));
        checkDelivery(list, outcomes, model);
      }),
      { numRuns: 60 },
    );
  });
});

function checkDelivery(
  list: readonly { readonly key: string; readonly explicit: bigint | undefined }[],
  outcomes: readonly Outcome[],
  model: StreamModel,
): void {
  const delivered = model.delivered().map(({ at, data }) => ({ at, index: Number.parseInt(data, 10) }));
  const placesOf = new Map<number, number[]>();
  delivered.forEach(({ index }, place) => {
    placesOf.set(index, [...(placesOf.get(index) ?? []), place]);
  });
  const lastPlace = new Map<string, number>();
  outcomes.forEach((outcome, index) => {
    if (!isStored(outcome)) throw new Error(`record ${index} failed: ${outcome.errorCode}`);
    const { shardId, sequenceNumber, subSequenceNumber, attempts } = outcome;
    const places = placesOf.get(index) ?? [];
    const told = `${shardId} ${sequenceNumber} ${subSequenceNumber}`;
    expect(places.map((place) => delivered[place]?.at)).toContain(told);
    // A duplicate only where an attempt says so.
    const doubtful = attempts.filter(({ maybeStored }) => maybeStored).length;
    expect(places.length).toBeLessThanOrEqual(1 + doubtful);
    const { key, explicit } = list[index] ?? { key: "", explicit: undefined };
    const unit = String(explicit ?? key);
    expect(Math.min(...places)).toBeGreaterThan(lastPlace.get(unit) ?? -1);
    lastPlace.set(unit, Math.max(...places));
  });
}
