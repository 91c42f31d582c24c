// The HTTP server of the status page. It is loaded only when `httpListen` is set. No client can
// disturb the daemon: headers, bodies, connections and times are limited, and every answer is made
// from a state in memory.

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import type { HealthSettings } from "../listeners/state/health.ts";
import type { DaemonState } from "../listeners/state.ts";
import { UserError } from "../model/errors.ts";
import { formatHttpAddress, type HttpAddress } from "../model/httpAddress.ts";
import { listenOnSocket } from "../privateSocket.ts";
import { Connections } from "./connections.ts";
import { type Access, refusalOf } from "./guard.ts";
import { LiveStream } from "./liveStream.ts";
import { bodyProblem } from "./requestBody.ts";
import {
  type Actions,
  findRoute,
  PATHS,
  type PrometheusText,
  type RouteParts,
  type SetLogLevel,
  type ShownApplication,
  sendJson,
} from "./routes.ts";
import { View } from "./view.ts";

export interface StatusOptions {
  readonly address: HttpAddress;
  readonly token: string | undefined;
  readonly allowRemote: boolean;
  readonly clock: Clock;
  /** Never empty. */
  readonly applications: readonly ServedApplication[];
  readonly setLogLevel: SetLogLevel;
}

export interface ServedApplication {
  readonly name: string;
  readonly state: DaemonState;
  readonly settings: HealthSettings;
  readonly actions: Actions;
  readonly prometheusText: PrometheusText;
}

export interface StatusServer {
  /** With the actual port. */
  readonly address: HttpAddress;
  close(): Promise<void>;
}

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
};
const HEADERS_MAX = 60;
/** Without any byte in either direction. Followers of events get one each second. */
const IDLE_MS = 15_000;

/** @throws UserError when the daemon cannot listen at the address. */
export async function openStatus(options: StatusOptions): Promise<StatusServer> {
  const { address, token, allowRemote, clock, applications, setLogLevel } = options;
  const names = applications.length > 1 ? applications.map(({ name }) => name) : [];
  const shown = applications.map(({ state, settings, ...rest }): ShownApplication => {
    const view = new View(state, clock, settings, rest.name, names);
    return { ...rest, view, live: new LiveStream(view, clock) };
  });
  const parts = { setLogLevel };
  const access = { address, token, allowRemote, hostname: hostname() };
  const server = createServer(LIMITS, (request, response) => {
    void handle(request, response, access, shown, parts);
  });
  server.maxHeadersCount = HEADERS_MAX;
  server.timeout = IDLE_MS;
  const connections = new Connections();
  connections.watch(server);
  const actual = await listen(server, address);
  return {
    address: actual,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      for (const { live } of shown) live.close();
      connections.closeAll();
      await closed;
    },
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
  applications: readonly ShownApplication[],
  parts: RouteParts,
): Promise<void> {
  try {
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    await answer(request, response, access, applications, parts);
  } catch (error) {
    // The client is gone, or there is a bug, which must not disturb the records.
    if (response.headersSent || response.destroyed) response.destroy();
    else refuse(response, 500, error instanceof Error ? error.message : String(error));
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
  all: readonly ShownApplication[],
  parts: RouteParts,
): Promise<void> {
  const { method = "", url = "" } = request;
  const [path = "", query = ""] = url.split("?", 2);
  const found = findRoute(path);
  const refusal = refusalOf(request, found?.need ?? "read", access);
  if (refusal?.status === 401) response.setHeader("www-authenticate", 'Basic realm="token"');
  if (refusal) return refuse(response, refusal.status, refusal.message);
  if (!found) {
    return refuse(response, 404, `There is no ${path.slice(0, 100)}. There are: ${PATHS}.`);
  }
  if (method !== found.method && !(method === "HEAD" && found.method === "GET")) {
    response.setHeader("allow", found.method);
    return refuse(response, 405, `${path} accepts ${found.method}, not ${method}.`);
  }
  const tooMuch = bodyProblem(request);
  if (tooMuch) return refuse(response, 413, tooMuch);
  const name = new URLSearchParams(query).get("application");
  const applications = name === null ? all : all.filter((each) => each.name === name);
  const [application] = applications;
  if (!application) {
    const names = all.map((each) => each.name).join(", ");
    return refuse(response, 404, `This daemon does not run that application. It runs: ${names}.`);
  }
  const { shardId } = found;
  await found.answer({ ...parts, request, response, shardId, applications, application });
}

const SECURITY_HEADERS = [
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
] as const;

/** The rest of the request is not read, so the connection ends. */
function refuse(response: ServerResponse, status: number, error: string): void {
  response.setHeader("connection", "close");
  sendJson(response, status, { error });
}

async function listen(server: Server, address: HttpAddress): Promise<HttpAddress> {
  const listening = once(server, "listening");
  listening.catch(() => {});
  if (address.type === "tcp") server.listen(address.port, address.host);
  // Whoever connects may change the daemon, so only the socket's owner may.
  else await listenOnSocket(server, address.path);
  try {
    await listening;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new UserError(
      `httpListen ${formatHttpAddress(address)}: the daemon cannot listen there (${code}). Check that no other process uses the address and that the daemon may use it, or choose another one.`,
      { cause },
    );
  }
  const found = server.address();
  if (typeof found !== "object" || !found || address.type === "unix") return address;
  return { ...address, port: found.port };
}
