import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../src/model/errors.ts";
import { type Position, parsePosition } from "../../src/model/position.ts";
import { Checkpointer } from "../../src/shard/checkpointer.ts";

const SHARD = "shardId-000000000000";

function at(sequenceNumber: string, subSequenceNumber = 0): Position {
  const position = parsePosition(sequenceNumber, subSequenceNumber);
  if (!position) throw new Error(`not a position: ${sequenceNumber}`);
  return position;
}

/** A checkpointer that writes into a list, and the list. */
function checkpointerAt(start: Position) {
  const stored: Position[] = [];
  const checkpointer = new Checkpointer(SHARD, start, async (position) => {
    stored.push(position);
    return "stored";
  });
  const ask = (sequenceNumber: string | null = null, subSequenceNumber: number | null = null) =>
    checkpointer.checkpoint({ sequenceNumber, subSequenceNumber });
  return { checkpointer, stored, ask };
}

describe("a checkpoint while records are processed", () => {
  it("without arguments stores the last record delivered, with its sub-sequence number", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("TRIM_HORIZON"));
    checkpointer.delivering(at("20", 3));
    await ask();
    expect(stored).toEqual([at("20", 3)]);
  });

  it("with a sequence number alone means its first record", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20", 3));
    await ask("20");
    expect(stored).toEqual([at("20", 0)]);
  });

  it("of the stored position succeeds without a write", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20"));
    await ask("10");
    await ask("15");
    await ask("15", 0);
    expect(stored).toEqual([at("15")]);
  });

  it("before anything was delivered succeeds without a write", async () => {
    const { stored, ask } = checkpointerAt(at("TRIM_HORIZON"));
    await ask();
    expect(stored).toEqual([]);
  });

  it.each([
    ["before the last checkpoint", "9", 0],
    ["after the last record delivered", "21", 0],
    ["after the last sub-record delivered", "20", 4],
    ["with a negative sub-sequence number", "15", -1],
    ["that is not a number", "abc", 0],
    ["that is negative", "-15", 0],
    ["that is empty", "", 0],
    ["at TRIM_HORIZON", "TRIM_HORIZON", 0],
    ["at LATEST", "LATEST", 0],
    ["at AT_TIMESTAMP", "AT_TIMESTAMP", 0],
    ["at SHARD_END", "SHARD_END", 0],
  ])("%s is an IllegalArgumentException and stores nothing", async (_case, sequence, sub) => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20", 3));
    await expect(ask(sequence, sub)).rejects.toMatchObject({ name: "IllegalArgumentException" });
    expect(stored).toEqual([]);
  });

  it("compares numbers, not text", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("9"));
    checkpointer.delivering(at("100"));
    await ask("10");
    expect(stored).toEqual([at("10")]);
  });

  it("without the lease is a ShutdownException, and the stored position stays known", async () => {
    const checkpointer = new Checkpointer(SHARD, at("10"), async () => "lost");
    checkpointer.delivering(at("20"));
    const asked = checkpointer.checkpoint({ sequenceNumber: null, subSequenceNumber: null });
    await expect(asked).rejects.toBeInstanceOf(CheckpointError);
    await expect(asked).rejects.toMatchObject({ name: "ShutdownException" });
    expect(checkpointer.stored).toEqual(at("10"));
  });
});

describe("a checkpoint at the end of a shard", () => {
  it.each([
    ["without arguments", null, null],
    ["at SHARD_END", "SHARD_END", null],
    ["at the last record", "20", 3],
  ])("%s stores SHARD_END", async (_case, sequence, sub) => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20", 3));
    checkpointer.endShard();
    await ask(sequence, sub);
    expect(stored).toEqual([at("SHARD_END")]);
    expect(checkpointer.reachedShardEnd).toBe(true);
  });

  it("at the last record stores SHARD_END even when that record was checkpointed before", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20"));
    await ask();
    checkpointer.endShard();
    await ask("20");
    expect(stored).toEqual([at("20"), at("SHARD_END")]);
  });

  it("at a smaller number stores that number and leaves the shard unfinished", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20"));
    checkpointer.endShard();
    await ask("15");
    expect(stored).toEqual([at("15")]);
    expect(checkpointer.reachedShardEnd).toBe(false);
  });
});

describe("a position from which Kinesis would not read is refused:", () => {
  /** Numbers as the service gives them: of its version 2, with the shard's number in them. */
  const numberOf = (shard: bigint, count: bigint) =>
    String((2n << 184n) + (count << 64n) + (shard << 4n) + 2n);

  it.each([
    ["a number below the shard, while the last checkpoint is a word", "1"],
    ["any number below the first record, while the last checkpoint is a word", "19"],
    ["a sub-sequence number that no row can hold", "25", 2 ** 60],
  ])("%s", async (_case, sequence, sub = 0) => {
    const { checkpointer, stored, ask } = checkpointerAt(at("LATEST"));
    checkpointer.delivering(at("30"), at("20"));
    checkpointer.delivering(at("40"), at("31"));
    await expect(ask(sequence, sub)).rejects.toMatchObject({ name: "IllegalArgumentException" });
    expect(stored).toEqual([]);
    await ask("20");
    expect(stored).toEqual([at("20")]);
  });

  it("a number of another shard, although it lies between the numbers of this one", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("TRIM_HORIZON"));
    checkpointer.delivering(at(numberOf(0n, 9n)), at(numberOf(0n, 1n)));
    await expect(ask(numberOf(1n, 5n))).rejects.toMatchObject({ name: "IllegalArgumentException" });
    await ask(numberOf(0n, 5n));
    expect(stored).toEqual([at(numberOf(0n, 5n))]);
  });

  it("a number after the last record, also at the end of the shard", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("20"));
    checkpointer.endShard();
    await expect(ask("21")).rejects.toMatchObject({ name: "IllegalArgumentException" });
    expect(stored).toEqual([]);
  });
});

describe("records that are left out", () => {
  it("are checkpointed at once when everything before them is", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    await checkpointer.advancePast(at("11"));
    checkpointer.delivering(at("12"));
    await ask();
    await checkpointer.advancePast(at("14"));
    expect(stored).toEqual([at("11"), at("12"), at("14")]);
  });

  it("are otherwise checkpointed with the child's next checkpoint of its last record", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("12"));
    await checkpointer.advancePast(at("14"));
    await ask("11");
    await ask("12");
    await ask("12");
    expect(stored).toEqual([at("11"), at("14")]);
  });

  it("do not make a child's own last record an illegal argument", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("12"));
    await ask("12");
    await checkpointer.advancePast(at("14"));
    await ask("12");
    await expect(ask("11")).rejects.toMatchObject({ name: "IllegalArgumentException" });
    await expect(ask("15")).rejects.toMatchObject({ name: "IllegalArgumentException" });
    expect(stored).toEqual([at("12"), at("14")]);
  });

  it("at the end of a shard do not prevent SHARD_END", async () => {
    const { checkpointer, stored, ask } = checkpointerAt(at("10"));
    checkpointer.delivering(at("12"));
    await ask("12");
    await checkpointer.advancePast(at("14"));
    checkpointer.endShard();
    await ask("12");
    expect(stored).toEqual([at("12"), at("14"), at("SHARD_END")]);
  });
});
