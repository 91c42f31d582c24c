// Serves the status of a running daemon: the state listens to its events, and the server shows it.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { DaemonState } from "../listeners/state.ts";
import { formatHttpAddress, type HttpAddress } from "../model/httpAddress.ts";
import { neverShow } from "../redact.ts";
import type { SetLogLevel } from "./routes.ts";
import { openStatus, type ServedApplication } from "./server.ts";

export interface StatusSettings {
  readonly httpListen: HttpAddress;
  readonly httpToken?: string | undefined;
  readonly httpAllowRemote: boolean;
}

export interface ServedStatus {
  /** For each application, to be called with every event of it. */
  readonly listeners: readonly Emit[];
  readonly close: () => Promise<void>;
}

export interface StatusParts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly applications: readonly Omit<ServedApplication, "state">[];
  readonly setLogLevel: SetLogLevel;
}

/** @throws UserError when the daemon cannot listen at the address. */
export async function serveStatus(
  settings: StatusSettings,
  { emit, clock, applications, setLogLevel }: StatusParts,
): Promise<ServedStatus> {
  const { httpListen: address, httpToken: token, httpAllowRemote: allowRemote } = settings;
  neverShow(token);
  const served = applications.map((each) => ({ ...each, state: new DaemonState() }));
  const access = { address, token, allowRemote };
  const server = await openStatus({ ...access, clock, applications: served, setLogLevel });
  emit({ type: "statusServed", address: formatHttpAddress(server.address) });
  return {
    listeners: served.map(
      ({ state }): Emit =>
        (event) =>
          state.saw(event, clock.monotonicMs()),
    ),
    close: () => server.close(),
  };
}
