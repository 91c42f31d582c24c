// A daemon, as built, with a child for each fixture that it is given; it tells what happens, and never ends by itself.
import { startProcessor } from "../../../.cache/js/child/startProcessor.js";
import { systemClock } from "../../../.cache/js/clock.js";

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const children = process.argv.slice(2).map(async (fixture, shard) => {
  const start = startProcessor({
    command: { file: process.execPath, args: [fixture] },
    workerId: "worker-1",
    closeGraceMs: 1_000,
    terminateGraceMs: 1_000,
    clock: systemClock,
    emit: say,
  });
  const processor = await start(`shardId-00000000000${shard}`, async () => {});
  await processor.initialize({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
});
await Promise.all(children);
say({ type: "ready" });
setInterval(() => {}, 1 << 30);
