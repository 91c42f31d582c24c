// The main job, as a person first meets it: words are put on a stream, and processors count them. It starts all that
// it needs, shows what happens, compares what was put with what was counted, and leaves nothing behind.

import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";
import { readCounts } from "./counts.ts";
import { Scope } from "./scope.ts";
import type { Screen } from "./screen.ts";
import { APPLICATION, endDaemon, type Stage, setStage } from "./stage.ts";
import { judge } from "./verdict.ts";
import { liveView, plainView, type Situation } from "./view.ts";

export interface SampleOptions {
  readonly language: string;
  readonly shards: number;
  /** Words per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly keepRunning: boolean;
  /** Splits the first shard after half of the time. */
  readonly reshard: boolean;
}

interface Run {
  readonly options: SampleOptions;
  readonly screen: Screen;
  readonly clock: Clock;
  /** The first Ctrl-C: put no more words, and end in order. */
  readonly stop: AbortSignal;
  /** The second: end now. */
  readonly abort: AbortSignal;
}

/** How often words are put and the view is drawn. */
const TICK_MS = 200;
/** How long processors may take to catch up when no more words are put. */
const CATCH_UP_LIMIT_MS = 30_000;
/** With --keep-running the split comes after this time. */
const RESHARD_AFTER_MS = 5_000;

/** @returns whether every word that was put was counted once, and the daemon ended well. */
export async function runSample(run: Run): Promise<boolean> {
  const { options, screen, clock, stop, abort } = run;
  const scope = new Scope();
  try {
    const stage = await setStage(options, scope, clock, (line) => screen.say(line));
    const daemonEnded = new AbortController();
    void stage.daemon.ended.then(() => daemonEnded.abort());
    const begunMs = clock.monotonicMs();
    await putWords(stage, run, begunMs, AbortSignal.any([stop, daemonEnded.signal]));
    await catchUp(stage, run, begunMs, AbortSignal.any([abort, daemonEnded.signal]));
    const exit = await endDaemon(stage.daemon, clock, abort);
    if (abort.aborted) return false;
    return await judge(stage, { exit, tableName: APPLICATION, screen });
  } finally {
    await scope.close();
  }
}

async function putWords(stage: Stage, run: Run, begunMs: number, over: AbortSignal): Promise<void> {
  const { options, clock } = run;
  const lengthMs = options.keepRunning ? Number.POSITIVE_INFINITY : options.seconds * 1000;
  const splitMs = options.keepRunning ? RESHARD_AFTER_MS : lengthMs / 2;
  let split = !options.reshard;
  for (;;) {
    const elapsedMs = clock.monotonicMs() - begunMs;
    if (over.aborted || elapsedMs >= lengthMs) return;
    if (!split && elapsedMs >= splitMs) {
      split = true;
      run.screen.say(await stage.words.splitFirstShard());
    }
    await stage.words.put(Math.ceil((elapsedMs * options.rate) / 1000) - stage.words.total);
    await show(stage, run, begunMs);
    await clock.sleep(TICK_MS, over);
  }
}

/** Waits until every word put was handed to a processor; a word handed over twice does not make up for another. */
async function catchUp(stage: Stage, run: Run, begunMs: number, over: AbortSignal): Promise<void> {
  const limitMs = run.clock.monotonicMs() + CATCH_UP_LIMIT_MS;
  while (stage.progress.delivered < stage.words.total && !over.aborted) {
    if (run.clock.monotonicMs() > limitMs) return;
    await show(stage, run, begunMs);
    await run.clock.sleep(TICK_MS, over);
  }
  await show(stage, run, begunMs, true);
}

async function show(
  stage: Stage,
  { options, screen, clock }: Run,
  begunMs: number,
  last = false,
): Promise<void> {
  const situation: Situation = {
    title: `"${options.language}" processors count the words of ${counted(options.shards, "shard")}`,
    elapsedMs: clock.monotonicMs() - begunMs,
    put: stage.words.total,
    shards: stage.progress.shards,
    counted: await readCounts(stage.countsFolder),
  };
  screen.draw(
    clock.monotonicMs(),
    () => liveView(situation),
    () => plainView(situation),
    last,
  );
}
