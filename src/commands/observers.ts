// Who hears the events of the applications besides the log: their metrics, and the status page.

import { systemClock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Member } from "../host/members.ts";
import type { Metrics } from "../host/metrics.ts";
import type { Sampling } from "../host/sampling.ts";
import type { LogOptions } from "../listeners/log.ts";
import { UserError } from "../model/errors.ts";
import { formatHttpAddress } from "../model/httpAddress.ts";
import type { Actions } from "../status/routes.ts";
import type { StatusSettings } from "../status/serve.ts";

export interface Observers {
  /** For each application; absent when nobody needs samples. */
  readonly samplings: readonly (Sampling | undefined)[];
  close(): Promise<void>;
}

/** Opens what the settings and the environment ask for. Nothing else is loaded. */
export async function openObservers(
  members: readonly Member[],
  log: Emit,
  logOptions: LogOptions,
): Promise<Observers> {
  const { openMetrics } = await import("../host/metrics.ts");
  const served = servedOf(members);
  const isScraped = served !== undefined;
  const all = await Promise.all(
    members.map(async (member) => {
      const { loaded, emit, listeners } = member;
      const metrics = await openMetrics(loaded, { emit, clock: systemClock, isScraped });
      listeners.push(...metrics.listeners);
      return { member, metrics };
    }),
  );
  const status = served && (await openStatus(served, all, log, logOptions));
  return {
    samplings: all.map(({ metrics }) => metrics.sampling),
    async close() {
      await status?.close();
      await Promise.all(all.map(({ metrics }) => metrics.close()));
    },
  };
}

async function openStatus(
  settings: StatusSettings,
  all: readonly { readonly member: Member; readonly metrics: Metrics }[],
  log: Emit,
  logOptions: LogOptions,
) {
  const { serveStatus } = await import("../status/serve.ts");
  const status = await serveStatus(settings, {
    clock: systemClock,
    emit: log,
    setLogLevel: (level, component) => {
      if (component) logOptions.levels?.set(component, level);
      else {
        logOptions.level = level;
        logOptions.levels?.clear();
      }
      log({ type: "logLevelChanged", level, ...(component && { component }) });
    },
    applications: all.map(({ member, metrics: { prometheusText = () => "" } }) => ({
      name: member.loaded.settings.applicationName,
      settings: member.loaded.settings,
      actions: actionsOn(member),
      prometheusText,
    })),
  });
  for (const [index, saw] of status.listeners.entries()) all[index]?.member.listeners.push(saw);
  return status;
}

/**
 * Where the page is served: once for all applications.
 *
 * @throws UserError when two applications set different addresses.
 */
function servedOf(members: readonly Member[]): StatusSettings | undefined {
  const found = members.flatMap(({ loaded: { settings } }) => {
    const { httpListen, applicationName } = settings;
    return httpListen ? [{ ...settings, httpListen, applicationName }] : [];
  });
  const [first, ...others] = found;
  if (!first) return undefined;
  const place = formatHttpAddress(first.httpListen);
  const other = others.find(({ httpListen }) => formatHttpAddress(httpListen) !== place);
  if (other) {
    throw new UserError(
      `${first.applicationName} sets httpListen = ${place}, and ${other.applicationName} ${formatHttpAddress(other.httpListen)}. One page shows all applications of a daemon: set it in one file only.`,
    );
  }
  return first;
}

function actionsOn({ drain, restarts, emit }: Member): Actions {
  return {
    drain: () => drain.request("POST /drain"),
    resume: () => drain.resume("POST /resume"),
    restartChild: (shardId) => {
      const isServed = restarts.request(shardId);
      if (isServed) emit({ type: "childRestartRequested", shardId });
      return isServed;
    },
  };
}
