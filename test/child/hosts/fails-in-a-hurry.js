// A daemon, as built, that ends by an exception while its child is running and would not end by itself.
import { startProcessor } from "../../../.cache/js/child/startProcessor.js";
import { systemClock } from "../../../.cache/js/clock.js";

const start = startProcessor({
  command: { file: process.execPath, args: process.argv.slice(2) },
  workerId: "worker-1",
  closeGraceMs: 60_000,
  terminateGraceMs: 60_000,
  clock: systemClock,
  emit: () => {},
});
const processor = await start("shardId-000000000000", async () => {});
await processor.initialize({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
process.stdout.write(`${processor.pid}\n`, () => {
  throw new Error("something unforeseen");
});
