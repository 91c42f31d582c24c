import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePositions, type Position, parsePosition } from "../../../src/model/position.ts";
import { type DealtBatch, LowWater } from "../../../src/shard/lanes/lowWater.ts";

const LANES = 4;
const at = (number: number): Position => {
  const position = parsePosition(number < 0 ? "TRIM_HORIZON" : String(number), 0);
  if (!position) throw new Error(`no position ${number}`);
  return position;
};
const START = at(-1);

/** Records 0, 1, 2 …, each with its lane, in batches of at least one record. */
const batches = fc.array(fc.array(fc.nat(LANES - 1), { minLength: 1, maxLength: 8 }), {
  minLength: 1,
  maxLength: 12,
});

function dealtBatch(lanes: readonly number[], from: number): DealtBatch {
  const parts = [...new Set(lanes)].map((lane) => {
    const first = lanes.indexOf(lane);
    const before = first === 0 ? {} : { before: at(from + first - 1) };
    return { lane, ...before, last: at(from + lanes.lastIndexOf(lane)) };
  });
  return { end: at(from + lanes.length - 1), bytes: lanes.length, parts };
}

/** What really happened, record by record. */
class Model {
  readonly lanes: number[] = [];
  readonly done: boolean[] = [];
  readonly mark = new LowWater(START, LANES);

  deal(lanes: readonly number[]): void {
    this.mark.dealt(dealtBatch(lanes, this.lanes.length));
    this.lanes.push(...lanes);
  }

  /** The lane checkpoints one of its records, and so all of its records before. */
  checkpoint(lane: number, choice: number): void {
    const own = this.lanes.flatMap((each, index) => (each === lane ? [index] : []));
    const chosen = own[choice % Math.max(1, own.length)];
    if (chosen === undefined) return;
    this.mark.checkpointed(lane, at(chosen));
    for (const index of own) if (index <= chosen) this.done[index] = true;
  }

  get firstOutstanding(): number {
    const index = this.lanes.findIndex((_, record) => !this.done[record]);
    return index < 0 ? this.lanes.length : index;
  }
}

const steps = fc.array(
  fc.oneof(
    fc.constant({ type: "deal" as const }),
    fc.record({ type: fc.constant("done" as const), lane: fc.nat(LANES - 1), choice: fc.nat(200) }),
  ),
  { maxLength: 60 },
);

describe("the low-water mark", () => {
  it("is never at or after an outstanding record, and never goes back", () => {
    fc.assert(
      fc.property(batches, steps, (all, happens) => {
        const model = new Model();
        const left = [...all];
        let before = START;
        for (const step of happens) {
          if (step.type === "deal") model.deal(left.shift() ?? []);
          else model.checkpoint(step.lane, step.choice);
          const { mark } = model.mark;
          expect(comparePositions(mark, at(model.firstOutstanding))).toBeLessThan(0);
          expect(comparePositions(mark, before)).toBeGreaterThanOrEqual(0);
          before = mark;
        }
      }),
    );
  });

  it("is the end of what was dealt as soon as nothing is outstanding", () => {
    fc.assert(
      fc.property(batches, steps, (all, happens) => {
        const model = new Model();
        for (const batch of all) model.deal(batch);
        for (const step of happens) {
          if (step.type === "done") model.checkpoint(step.lane, step.choice);
        }
        for (let lane = 0; lane < LANES; lane += 1) {
          const last = model.lanes.lastIndexOf(lane);
          if (last >= 0) model.mark.checkpointed(lane, at(last));
        }
        expect(model.mark.mark).toEqual(at(model.lanes.length - 1));
        expect(model.mark.aheadBytes).toBe(0);
        expect(model.mark.holders).toEqual([]);
      }),
    );
  });

  it("is held back only by lanes with outstanding records, at most to the batch of their first one", () => {
    fc.assert(
      fc.property(batches, steps, (all, happens) => {
        const model = new Model();
        for (const batch of all) model.deal(batch);
        for (const step of happens) {
          if (step.type === "done") model.checkpoint(step.lane, step.choice);
        }
        const { firstOutstanding: first, mark } = model;
        for (const lane of mark.holders) {
          expect(model.lanes.some((each, index) => each === lane && !model.done[index])).toBe(true);
        }
        let from = 0;
        for (const batch of all) {
          if (from + batch.length > first) break;
          from += batch.length;
        }
        expect(comparePositions(mark.mark, at(from - 1))).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("starts each lane after its own checkpoint and never before the mark", () => {
    fc.assert(
      fc.property(batches, steps, (all, happens) => {
        const model = new Model();
        for (const batch of all) model.deal(batch);
        for (const step of happens) {
          if (step.type === "done") model.checkpoint(step.lane, step.choice);
        }
        for (let lane = 0; lane < LANES; lane += 1) {
          const start = model.mark.startOf(lane);
          expect(comparePositions(start, model.mark.mark)).toBeGreaterThanOrEqual(0);
          model.lanes.forEach((each, index) => {
            if (each !== lane) return;
            expect(comparePositions(at(index), start) <= 0).toBe(model.done[index] === true);
          });
        }
      }),
    );
  });

  it("follows the checkpoint of a lane inside its batch", () => {
    const mark = new LowWater(START, 2);
    mark.dealt(dealtBatch([0, 0, 1, 0, 1], 0));
    mark.checkpointed(0, at(1));
    expect(mark.mark).toEqual(at(1));
    mark.checkpointed(1, at(4));
    expect(mark.mark).toEqual(at(1));
    mark.checkpointed(0, at(3));
    expect(mark.mark).toEqual(at(4));
  });

  it("reaches the end of the shard when every lane has checkpointed it", () => {
    const mark = new LowWater(START, 2);
    mark.dealt(dealtBatch([0, 1], 0));
    const end: Position = { sequenceNumber: "SHARD_END", subSequenceNumber: 0 };
    mark.checkpointed(0, end);
    expect(mark.mark).toEqual(at(0));
    mark.checkpointed(1, at(1));
    expect(mark.mark).toEqual(at(1));
    mark.checkpointed(1, end);
    expect(mark.mark).toEqual(end);
  });
});
