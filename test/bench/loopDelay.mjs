// A daemon under measurement imports this. Between two SIGHUPs it measures how late the event loop
// is. Then it writes quantiles, in milliseconds, to $BENCH_LOOP_DELAY. It costs a timer every 10
// ms, so it is not always on.
import { writeFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;
let watching;
process.on("SIGHUP", () => {
  if (!watching) {
    watching = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    watching.enable();
    return;
  }
  watching.disable();
  // The histogram contains the time between two timer events.
  const late = (nanos) => Math.max(0, nanos / 1e6 - RESOLUTION_MS);
  const quantiles = {
    p50: late(watching.percentile(50)),
    p99: late(watching.percentile(99)),
    max: late(watching.max),
  };
  writeFileSync(process.env.BENCH_LOOP_DELAY, JSON.stringify(quantiles));
  watching = undefined;
});
