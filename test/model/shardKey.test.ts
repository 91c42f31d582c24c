import fc from "fast-check";
import { expect, test } from "vitest";
import { sentinel } from "../../src/leases/lease.ts";
import { newItem, parseItem } from "../../src/leases/table/dynamoItem.ts";
import { inStream, parseStreamShard, plainShardId, shardKey } from "../../src/model/shardKey.ts";

const NAME_CHARACTERS = [..."abcXYZ019_.-"];
const name = fc
  .array(fc.constantFrom(...NAME_CHARACTERS), { minLength: 1, maxLength: 128 })
  .map((letters) => letters.join(""));
const streamId = fc
  .tuple(fc.integer({ min: 0, max: 999_999_999 }), name, fc.integer({ min: 1 }))
  .map(([account, stream, epoch]) => `${String(account).padStart(12, "0")}:${stream}:${epoch}`);

test("a key is taken apart as it was put together", () => {
  fc.assert(
    fc.property(streamId, name, (id, shardId) => {
      const [, streamName] = id.split(":");
      expect(parseStreamShard(shardKey(id, shardId))).toEqual({
        streamId: id,
        streamName,
        shardId,
      });
      expect(plainShardId(shardKey(id, shardId))).toBe(shardId);
      expect(plainShardId(shardId)).toBe(shardId);
    }),
  );
});

test("a row has the ids of relatives without the stream, as Java writes them", () => {
  fc.assert(
    fc.property(streamId, name, fc.array(name, { maxLength: 2 }), (id, shardId, parents) => {
      const lease = inStream(id, { shardId, parentShardIds: parents });
      const item = newItem({ ...lease, checkpoint: sentinel("TRIM_HORIZON") });
      expect(item).toMatchObject({
        leaseKey: { S: `${id}:${shardId}` },
        streamName: { S: id },
        shardId: { S: shardId },
      });
      expect(item["parentShardId"]?.SS ?? []).toEqual(parents);
      expect(parseItem(item, "multiStream")).toMatchObject(lease);
      expect(() => parseItem(item, "singleStream")).toThrow(/a shard of the stream/);
    }),
  );
});
