// `npm run simulate -- [options]`: runs seeds until one fails, and prints how to repeat that one.

import { parseArgs } from "node:util";
import { printScale } from "./largeReport.ts";
import { printPrice } from "./price.ts";
import { run } from "./run.ts";
import type { Size } from "./scenario.ts";
import { printStarts } from "./start.ts";
import { runOnThreads } from "./threads.ts";
import type { Outcome, Run } from "./world.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    workers: { type: "string" },
    shards: { type: "string" },
    price: { type: "boolean", default: false },
    scale: { type: "boolean", default: false },
    start: { type: "boolean", default: false },
    pure: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});

/** Settings of every run. */
const asked: Size & Pick<Run, "pure"> = {
  pure: values.pure,
  ...(values.workers !== undefined && { workers: Number(values.workers) }),
  ...(values.shards !== undefined && { shards: Number(values.shards) }),
};

function tellFailure({ seed, violation }: Outcome): void {
  if (violation === undefined) return;
  const pure = values.pure ? " --pure" : "";
  const sizes = (["workers", "shards"] as const).flatMap((name) =>
    values[name] === undefined ? [] : ` --${name} ${values[name]}`,
  );
  console.log(`seed ${seed} FAILED: ${violation}`);
  const again = `${pure} --seed ${seed}${sizes.join("")}${values.pure ? "" : " --trace"}`;
  console.log(`  to repeat it with a trace: npm run simulate --${again}`);
}

function formatted(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${what} ${count}`).join(", ");
}

async function simulateOne(seed: number): Promise<void> {
  const trace = values.trace || values.pure ? { trace: (line: string) => console.log(line) } : {};
  const outcome = await run({ seed, ...asked, ...trace });
  tellFailure(outcome);
  const { requests, refused, counts } = outcome;
  console.log(
    `requests ${formatted(requests)}; refused ${formatted(refused)}; ${formatted(counts)}`,
  );
  process.exitCode = outcome.violation === undefined ? 0 : 1;
}

function* runs(): Generator<Run> {
  const first = Number(values.from);
  for (let seed = first; seed < first + Number(values.seeds); seed++) yield { seed, ...asked };
}

async function simulateAll(): Promise<void> {
  const began = performance.now();
  let failed = 0;
  let done = 0;
  let events = 0;
  let virtualMs = 0;
  let servedAfter = 0;
  await runOnThreads(runs(), (outcome) => {
    const { failoverTimeMillis } = outcome.scenario.settings;
    tellFailure(outcome);
    done++;
    events += outcome.events;
    virtualMs += outcome.virtualMs;
    servedAfter = Math.max(servedAfter, outcome.servedAfterMs / failoverTimeMillis);
    if (outcome.violation !== undefined) failed++;
    return failed === 0 || values["keep-going"];
  });
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${done} seeds in ${seconds.toFixed(1)} s: ${done - failed} passed, ${failed} failed; ` +
      `${(virtualMs / 3_600_000).toFixed(1)} hours of virtual time, ${events} events (${Math.round(events / seconds)} per second); ` +
      `all served after at most ${servedAfter.toFixed(2)} lease times without incidents`,
  );
  process.exitCode = failed > 0 ? 1 : 0;
}

if (values.price) await printPrice();
else if (values.scale) await printScale({ workers: 500, shards: 5_000, ...asked });
else if (values.start) await printStarts();
else if (values.seed !== undefined) await simulateOne(Number(values.seed));
else await simulateAll();
