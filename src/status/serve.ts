// Serves the status of a running daemon: the state listens to its events, and the server shows it.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { HealthSettings } from "../listeners/state/health.ts";
import { DaemonState } from "../listeners/state.ts";
import { formatHttpAddress, type HttpAddress } from "../model/httpAddress.ts";
import { neverShow } from "../redact.ts";
import type { Actions, PrometheusText } from "./routes.ts";
import { openStatus } from "./server.ts";

export interface StatusSettings extends HealthSettings {
  readonly httpListen: HttpAddress;
  readonly httpToken?: string | undefined;
  readonly httpAllowRemote: boolean;
}

export interface ServedStatus {
  /** To be called with every event. */
  readonly saw: Emit;
  readonly close: () => Promise<void>;
}

export interface StatusParts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly actions: Actions;
  readonly prometheusText: PrometheusText;
}

/** @throws UserError when the daemon cannot listen at the address. */
export async function serveStatus(
  settings: StatusSettings,
  { emit, ...parts }: StatusParts,
): Promise<ServedStatus> {
  const { httpListen: address, httpToken: token, httpAllowRemote: allowRemote } = settings;
  neverShow(token);
  const state = new DaemonState();
  const server = await openStatus({ address, token, allowRemote, state, settings, ...parts });
  emit({ type: "statusServed", address: formatHttpAddress(server.address) });
  return {
    saw: (event) => state.saw(event, parts.clock.monotonicMs()),
    close: () => server.close(),
  };
}
