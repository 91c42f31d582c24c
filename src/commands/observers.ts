// Who hears the events of an application besides the log: its metrics, and its status page.

import { systemClock } from "../clock.ts";
import type { Member } from "../host/members.ts";
import type { Sampling } from "../host/sampling.ts";
import type { LogOptions } from "../listeners/log.ts";
import type { Actions } from "../status/routes.ts";

export interface Observers {
  /** Present when some metrics need samples. */
  readonly sampling?: Sampling;
  close(): Promise<void>;
}

/** Opens what the settings and the environment ask for. Nothing else is loaded. */
export async function openObservers(member: Member, logOptions: LogOptions): Promise<Observers> {
  const { openMetrics } = await import("../host/metrics.ts");
  const { loaded, emit, listeners } = member;
  const { httpListen } = loaded.settings;
  const parts = { emit, clock: systemClock, isScraped: httpListen !== undefined };
  const metrics = await openMetrics(loaded, parts);
  listeners.push(...metrics.listeners);
  const { sampling, prometheusText } = metrics;
  if (!httpListen || !prometheusText)
    return { ...(sampling && { sampling }), close: metrics.close };
  const { serveStatus } = await import("../status/serve.ts");
  const status = await serveStatus(
    { ...loaded.settings, httpListen },
    { clock: systemClock, emit, actions: actionsOn(member, logOptions), prometheusText },
  );
  listeners.push(status.saw);
  return {
    ...(sampling && { sampling }),
    async close() {
      await status.close();
      await metrics.close();
    },
  };
}

function actionsOn({ drain, restarts, emit }: Member, logOptions: LogOptions): Actions {
  return {
    drain: () => drain.request("POST /drain"),
    resume: () => drain.resume("POST /resume"),
    setLogLevel: (level) => {
      logOptions.level = level;
      emit({ type: "logLevelChanged", level });
    },
    restartChild: (shardId) => {
      const isServed = restarts.request(shardId);
      if (isServed) emit({ type: "childRestartRequested", shardId });
      return isServed;
    },
  };
}
