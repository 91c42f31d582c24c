// The host of a process's applications. It makes what exists once per process, however many
// applications run in it, and runs the application. Today that is one for each process.

import { Watchdog } from "../child/process/watchdog.ts";
import { systemClock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import { StartTurns } from "../shard/startTurns.ts";
import { type ApplicationContext, runApplication } from "./application.ts";

const CHILD_GRACES = { closeGraceMs: 2_000, terminateGraceMs: 1_000 };

/**
 * Returns when, and only when, everything that it has started has ended.
 *
 * @throws the error that ended the application.
 */
export async function runHost(loaded: LoadedSettings, context: ApplicationContext): Promise<void> {
  const { emit } = context;
  await runApplication(loaded, context, {
    clock: systemClock,
    startTurns: new StartTurns(systemClock),
    watchdog: new Watchdog({ ...CHILD_GRACES, emit }),
    ...CHILD_GRACES,
  });
}
