// The sample: it puts words into a stream, and processors count them. It starts everything that it
// needs, shows what happens, compares the words that were put with the counts, and leaves nothing
// behind.

import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";
import type { ConnectTarget } from "./counting.ts";
import { reportOutcome } from "./outcome.ts";
import { Scope } from "./scope.ts";
import type { Screen } from "./screen.ts";
import { APPLICATION, endDaemon, type Setup, setUp } from "./setup.ts";
import { liveView, plainView, type Situation } from "./view.ts";

export interface SampleOptions {
  readonly language: string;
  readonly shards: number;
  /** Put the words with the language's producer client. */
  readonly produce: boolean;
  /** Words per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly keepRunning: boolean;
  /** Split the first shard after half of the time. */
  readonly reshard: boolean;
  /** The target that a connector writes the words to. */
  readonly connect?: ConnectTarget;
  /** Where the daemon serves its status page. */
  readonly http?: string;
}

interface Run {
  readonly options: SampleOptions;
  readonly screen: Screen;
  readonly clock: Clock;
  /** After the first Ctrl-C: put no more words, and shut down gracefully. */
  readonly stop: AbortSignal;
  /** After the second Ctrl-C: end at once. */
  readonly abort: AbortSignal;
}

/** The interval in which words are put and the view is drawn. */
const TICK_MS = 200;
/** How long the processors may take to catch up after the last word. */
const CATCH_UP_LIMIT_MS = 30_000;
/** With --keep-running, the first shard is split after this time. */
const RESHARD_AFTER_MS = 5_000;

/** @returns whether every word was counted exactly once and the daemon ended with exit code 0. */
export async function runSample(run: Run): Promise<boolean> {
  const { options, screen, clock, stop, abort } = run;
  const scope = new Scope();
  try {
    const setup = await setUp(options, scope, clock, (line) => screen.print(line));
    const daemonEnded = new AbortController();
    void setup.daemon.ended.then(() => daemonEnded.abort());
    const startedMs = clock.monotonicMs();
    await putWords(setup, run, startedMs, AbortSignal.any([stop, daemonEnded.signal]));
    await catchUp(setup, run, startedMs, AbortSignal.any([abort, daemonEnded.signal]));
    const exit = await endDaemon(setup.daemon, clock, abort);
    if (abort.aborted) return false;
    return await reportOutcome(setup, { exit, tableName: APPLICATION, screen });
  } finally {
    await scope.close();
  }
}

async function putWords(
  setup: Setup,
  run: Run,
  startedMs: number,
  over: AbortSignal,
): Promise<void> {
  const { options, clock } = run;
  const lengthMs = options.keepRunning ? Number.POSITIVE_INFINITY : options.seconds * 1000;
  const splitMs = options.keepRunning ? RESHARD_AFTER_MS : lengthMs / 2;
  let split = !options.reshard;
  for (;;) {
    const elapsedMs = clock.monotonicMs() - startedMs;
    if (over.aborted || elapsedMs >= lengthMs) return;
    if (!split && elapsedMs >= splitMs) {
      split = true;
      run.screen.print(await setup.words.splitFirstShard());
    }
    await setup.words.put(Math.ceil((elapsedMs * options.rate) / 1000) - setup.words.total);
    await show(setup, run, startedMs);
    await clock.sleep(TICK_MS, over);
  }
}

/** Waits until as many words were delivered to processors as were put. */
async function catchUp(
  setup: Setup,
  run: Run,
  startedMs: number,
  over: AbortSignal,
): Promise<void> {
  const limitMs = run.clock.monotonicMs() + CATCH_UP_LIMIT_MS;
  while (setup.progress.delivered < setup.words.total && !over.aborted) {
    if (run.clock.monotonicMs() > limitMs) return;
    await show(setup, run, startedMs);
    await run.clock.sleep(TICK_MS, over);
  }
  await show(setup, run, startedMs, true);
}

async function show(
  setup: Setup,
  { options, screen, clock }: Run,
  startedMs: number,
  last = false,
): Promise<void> {
  const situation: Situation = {
    title: `${setup.counting.who} the words of ${counted(options.shards, "shard")}`,
    elapsedMs: clock.monotonicMs() - startedMs,
    put: setup.words.total,
    shards: setup.progress.shards,
    counted: await setup.counting.counts(),
  };
  screen.draw(
    clock.monotonicMs(),
    () => liveView(situation),
    () => plainView(situation),
    last,
  );
}
