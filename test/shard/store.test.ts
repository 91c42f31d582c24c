import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../src/model/errors.ts";
import { type Position, parsePosition, SHARD_END } from "../../src/model/position.ts";
import { CoalescedStore } from "../../src/shard/store.ts";
import { ClockByHand } from "../leases/clockByHand.ts";

function at(number: number): Position {
  const position = parsePosition(String(number), 0);
  if (!position) throw new Error(`not a position: ${number}`);
  return position;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const throttled = () => new CheckpointError("ThrottlingException", "slow down");

describe("storing at most once an interval", () => {
  function coalesced(store: (position: Position) => Promise<"stored" | "lost">) {
    const clock = new ClockByHand();
    const troubles: unknown[] = [];
    const written: Position[] = [];
    const coalesced = new CoalescedStore({
      intervalMs: 1_000,
      clock,
      onFailure: (error) => troubles.push(error),
      store: async (position) => {
        const result = await store(position);
        written.push(position);
        return result;
      },
    });
    return { clock, coalesced, written, troubles };
  }

  it("stores the first position at once, then the last one of each interval", async () => {
    const { clock, coalesced: store, written } = coalesced(async () => "stored");
    for (const number of [1, 2, 3]) expect(await store.store(at(number))).toBe("stored");
    expect(written).toEqual([at(1)]);
    clock.advance(1_000);
    await settled();
    expect(written).toEqual([at(1), at(3)]);
    await store.store(at(4));
    expect(written).toHaveLength(2);
    await store.close();
    expect(written).toEqual([at(1), at(3), at(4)]);
  });

  it("stores the end of a shard at once", async () => {
    const { coalesced: store, written } = coalesced(async () => "stored");
    for (const position of [at(1), at(2), SHARD_END]) await store.store(position);
    expect(written).toEqual([at(1), SHARD_END]);
    await store.close();
    expect(written).toHaveLength(2);
  });

  it("reports a position that it could not store, and retries it an interval later", async () => {
    let fails = false;
    const {
      clock,
      coalesced: store,
      written,
      troubles,
    } = coalesced(async () => {
      if (fails) throw throttled();
      return "stored";
    });
    await store.store(at(1));
    fails = true;
    await store.store(at(2));
    clock.advance(1_000);
    await settled();
    expect(troubles).toHaveLength(1);
    fails = false;
    clock.advance(1_000);
    await settled();
    expect(written).toEqual([at(1), at(2)]);
    await store.close();
  });

  it("never writes an older position after a newer one", async () => {
    const waiting: (() => void)[] = [];
    const {
      clock,
      coalesced: store,
      written,
    } = coalesced(() => new Promise((resolve) => waiting.push(() => resolve("stored"))));
    const first = store.store(at(1));
    await settled();
    clock.advance(1_000);
    const second = store.store(at(2));
    await settled();
    expect(waiting).toHaveLength(1);
    for (let index = 0; index < 2; index += 1) {
      waiting[index]?.();
      await settled();
    }
    expect(await Promise.all([first, second])).toEqual(["stored", "stored"]);
    expect(written).toEqual([at(1), at(2)]);
    await store.close();
  });

  it('returns "lost" from the moment the lease is lost', async () => {
    let owner = true;
    const { clock, coalesced: store, written } = coalesced(async () => (owner ? "stored" : "lost"));
    await store.store(at(1));
    owner = false;
    await store.store(at(2));
    clock.advance(1_000);
    await settled();
    expect(await store.store(at(3))).toBe("lost");
    expect(written).toEqual([at(1), at(2)]);
    await store.close();
    expect(written).toHaveLength(2);
  });
});
