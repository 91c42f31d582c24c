import { describe, expect, it } from "vitest";
import { isSequenceNumber, type SequenceNumber } from "../../src/model/position.ts";
import { canHold, type Shard } from "../../src/model/shard.ts";

function number(text: string): SequenceNumber {
  if (!isSequenceNumber(text)) throw new Error(`${text} is no sequence number`);
  return text;
}

function shard(start: string, end?: string): Shard {
  return {
    shardId: "shardId-000000000000",
    parentShardIds: [],
    hashKeyRange: { startingHashKey: "0", endingHashKey: "9" },
    startingSequenceNumber: start,
    ...(end !== undefined && { endingSequenceNumber: end }),
  };
}

describe("a shard can hold a sequence number", () => {
  it.each([
    ["from its start on, while it is open", shard("100"), "100", true],
    ["not below its start", shard("100"), "99", false],
    ["up to its end", shard("100", "200"), "200", true],
    ["not beyond its end", shard("100", "200"), "201", false],
    ["whatever an end below its own start says", shard("100", "50"), "201", true],
  ])("%s", (_, where, sequenceNumber, expected) => {
    expect(canHold(where, number(sequenceNumber))).toBe(expected);
  });
});
