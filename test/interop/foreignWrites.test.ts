// Tests findForeignWrites on histories in which one thing is wrong, or only appears to be.

import { describe, expect, it } from "vitest";
import { findForeignWrites } from "./foreignWrites.ts";
import type { LeaseWrite } from "./writeWitness.ts";

const write = (writer: string, counter: number, more: Partial<LeaseWrite> = {}): LeaseWrite => ({
  writer,
  leaseKey: "shard",
  counter,
  owner: writer,
  checkpointOwner: undefined,
  checkpoint: "10#0",
  ...more,
});

describe("the writes to a lease", () => {
  it("are valid if each checkpoint comes from the owner of the lease", () => {
    const writes = [
      write("a", 1),
      write("a", 2, { checkpoint: "11#0" }),
      write("b", 3, { checkpoint: "11#0" }),
      write("b", 4, { checkpoint: "11#1" }),
      write("b", 5, { checkpoint: "SHARD_END#0" }),
    ];
    expect(findForeignWrites(writes)).toEqual([]);
    expect(findForeignWrites(writes.toReversed())).toEqual([]);
  });

  it("are invalid if the previous owner continues after its lease was taken", () => {
    const writes = [write("a", 1), write("b", 2), write("a", 3, { checkpoint: "11#0" })];
    expect(findForeignWrites(writes)).toEqual([
      "FOREIGN: a wrote 11#0 to shard at 3, in the tenure of b",
    ]);
  });

  it("are invalid if the taker changes the checkpoint as it takes the lease", () => {
    const writes = [write("a", 1), write("b", 2, { checkpoint: "11#0" })];
    expect(findForeignWrites(writes)).toHaveLength(1);
  });

  it("are invalid if a checkpoint goes back", () => {
    const writes = [write("a", 1, { checkpoint: "10#5" }), write("a", 2, { checkpoint: "10#4" })];
    expect(findForeignWrites(writes)).toEqual(["BACK: a wrote 10#4 to shard at 2, after 10#5"]);
    const toWord = [write("a", 1), write("a", 2, { checkpoint: "TRIM_HORIZON#0" })];
    expect(findForeignWrites(toWord)).toHaveLength(1);
  });

  it("are invalid if two checkpoints have one counter", () => {
    const writes = [write("a", 1, { checkpoint: "10#0" }), write("b", 1, { checkpoint: "11#0" })];
    expect(findForeignWrites(writes)).toEqual(["TWICE: b wrote 11#0 to shard at 1, and a another"]);
  });

  it("may come from the holder during a handover, and from the new owner afterwards", () => {
    const writes = [
      write("a", 1),
      write("leader", 1, { owner: "b", checkpointOwner: "a" }),
      write("a", 2, { owner: "b", checkpointOwner: "a", checkpoint: "11#0" }),
      write("a", 3, { owner: "b", checkpoint: "11#0" }),
      write("b", 4, { checkpoint: "12#0" }),
    ];
    expect(findForeignWrites(writes)).toEqual([]);
    const early = write("b", 2, { owner: "b", checkpointOwner: "a", checkpoint: "11#0" });
    expect(findForeignWrites([...writes.slice(0, 2), early])).toHaveLength(1);
  });

  it("are checked separately for each lease", () => {
    const other = write("b", 2, { leaseKey: "other", checkpoint: "5#0" });
    expect(findForeignWrites([write("a", 1), other, write("a", 3)])).toEqual([]);
  });
});
