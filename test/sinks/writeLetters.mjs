// Plays one of several daemons that write dead letters into the same file, for several shards at
// once.
import { FileSink } from "../../.cache/js/sinks/file.js";
import { deadLetterFormat } from "../../.cache/js/sinks/letterFormat.js";

const [file, name, shards, batches] = process.argv.slice(2);
const destination = await FileSink.open(file, deadLetterFormat);
await Promise.all(
  Array.from({ length: Number(shards) }, async (_, shard) => {
    for (let batch = 0; batch < Number(batches); batch += 1) {
      const letter = (number) => ({
        version: 1,
        streamName: "words",
        shardId: `shard-${name}-${shard}`,
        sequenceNumber: String(batch * 2 + number),
        subSequenceNumber: 0,
        partitionKey: "key",
        approximateArrivalTimestamp: 0,
        attempts: 1,
        buriedAt: "2026-01-01T00:00:00.000Z",
        cause: { reason: "exit", lastStderr: [] },
        data: "A".repeat(4 * Math.floor(Math.random() * 50_000)),
      });
      await destination.send([letter(0), letter(1)]);
    }
  }),
);
