// `top`: a running daemon in a terminal, again and again. It asks the daemon's status server where
// there is one. Otherwise it shows the lease table alone, which is all that a Java fleet has, and
// only reads it.

import type { Clock } from "../clock.ts";
import { loadSettings } from "../config/loadSettings.ts";
import { UserError } from "../model/errors.ts";
import { HTTP_ADDRESS_FORM, type HttpAddress, parseHttpAddress } from "../model/httpAddress.ts";
import { type LeasesRequest, showLeases } from "../operator/showLeases.ts";
import { askStatus } from "../status/client.ts";
import type { WholeView } from "../status/view.ts";
import { topLines } from "./topText.ts";

export interface TopRequest extends Pick<LeasesRequest, "out" | "explain" | "signal"> {
  readonly propertiesFile?: string;
  readonly table?: string;
  readonly region?: string;
  readonly endpoint?: string;
  /** Where the daemon listens; what the properties file says if absent. */
  readonly http?: string;
  /** Seconds between two looks. */
  readonly interval: number;
  readonly once: boolean;
  readonly clock: Clock;
}

const TIMEOUT_MS = 5_000;
/** Escape sequences: move to the upper left corner and clear the screen. */
const HOME = "\x1b[H\x1b[2J";

export async function watchTop(request: TopRequest): Promise<void> {
  const source = sourceOf(request);
  if (!source) {
    const table = { lag: false, wide: false, json: false, watch: !request.once };
    return showLeases({ ...request, ...table });
  }
  const { out, clock, signal, once, interval } = request;
  do {
    const { status, body } = await askStatus(source.address, "/shards", {
      token: source.token,
      timeoutMs: TIMEOUT_MS,
    });
    if (status !== 200) throw new UserError(`The daemon answered ${status}: ${body.trim()}`);
    const { columns = 120, rows = Number.MAX_SAFE_INTEGER } = out;
    const lines = topLines(chosen(JSON.parse(body), source.application), { columns, rows });
    out.write(`${out.isTTY && !once ? HOME : ""}${lines.join("\n")}\n`);
    if (!once) await clock.sleep(interval * 1_000, signal);
  } while (!once && !signal.aborted);
}

interface Source {
  readonly address: HttpAddress;
  readonly token?: string | undefined;
  /** Which application to show, if the daemon has several. */
  readonly application?: string | undefined;
}

function chosen(
  answer: WholeView | { readonly applications: readonly WholeView[] },
  name: string | undefined,
): WholeView {
  if ("shards" in answer) return answer;
  const views = answer.applications;
  const view = views.find(({ application }) => application.applicationName === name);
  if (view) return view;
  const names = views.map(({ application }) => application.applicationName).join(", ");
  throw new UserError(`The daemon runs ${names}. Name the properties file of one with -p FILE.`);
}

function sourceOf({ http, propertiesFile: file }: TopRequest): Source | undefined {
  const settings = file === undefined ? undefined : loadSettings({ file }).settings;
  const { httpToken: token, applicationName: application } = settings ?? {};
  if (http === undefined) {
    return settings?.httpListen && { address: settings.httpListen, token, application };
  }
  const address = parseHttpAddress(http);
  if (!address) throw new UserError(`--http ${http} is no address: write ${HTTP_ADDRESS_FORM}.`);
  return { address, token, application };
}
