import { expect, it } from "vitest";
import { collectShardIds } from "../../src/commands/shardIds.ts";

it.each([
  ["0", "shardId-000000000000"],
  ["12", "shardId-000000000012"],
  ["shardId-7", "shardId-000000000007"],
  ["shardId-000000000001", "shardId-000000000001"],
  ["shardId-1234567890123", "shardId-1234567890123"],
  ["alive", "alive"],
  ["-1", "-1"],
])("--shard %s is %s", (text, id) => {
  expect(collectShardIds(text, ["a"])).toEqual(["a", id]);
});
