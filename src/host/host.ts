// The host of a process's applications. It makes what exists once per process, however many
// applications run in it, and runs them.

import { Watchdog } from "../child/process/watchdog.ts";
import { systemClock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Emit } from "../events.ts";
import { StartTurns } from "../shard/startTurns.ts";
import { ByteBudget } from "../stream/budget/byteBudget.ts";
import { type ApplicationContext, runApplication } from "./application.ts";

export interface HostedApplication {
  readonly loaded: LoadedSettings;
  readonly context: ApplicationContext;
}

const CHILD_GRACES = { closeGraceMs: 2_000, terminateGraceMs: 1_000 };

/**
 * Returns when, and only when, everything that it has started has ended. The failure of an
 * application goes to its `failed`, and ends no other application.
 */
export async function runHost(
  applications: readonly HostedApplication[],
  emit: Emit,
): Promise<void> {
  const shared = {
    clock: systemClock,
    startTurns: new StartTurns(systemClock),
    watchdog: new Watchdog({ ...CHILD_GRACES, emit }),
    budget: new ByteBudget(limitOf(applications)),
    ...CHILD_GRACES,
  };
  await Promise.all(
    applications.map(({ loaded, context }) =>
      runApplication(loaded, context, shared).catch(context.failed),
    ),
  );
}

/** Memory belongs to the process, so the smallest limit that is set counts for all. */
function limitOf(applications: readonly HostedApplication[]): number | undefined {
  const limits = applications.flatMap(({ loaded }) => loaded.settings.maxBufferedBytes ?? []);
  return limits.length === 0 ? undefined : Math.min(...limits);
}
