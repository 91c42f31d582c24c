// The endpoints: path and method to an answer. What a request may ask for is checked strictly; an
// answer is text or JSON and never depends on what other requests do.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { LogLevel } from "../listeners/log.ts";
import type { Health } from "../listeners/state/health.ts";
import type { LiveStream } from "./liveStream.ts";
import { statusPage } from "./page.ts";
import { readJson } from "./requestBody.ts";
import type { View } from "./view.ts";

/** What an operator may change. */
export interface Actions {
  drain(): void;
  resume(): void;
  setLogLevel(level: LogLevel): void;
  /** @returns false when this worker has no child for the shard. */
  restartChild(shardId: string): boolean;
}

/** @returns the metrics in the text format of Prometheus. */
export type PrometheusText = () => string;

export interface RouteParts {
  readonly view: View;
  readonly live: LiveStream;
  readonly actions: Actions;
  readonly logLevels: readonly LogLevel[];
  readonly prometheusText: PrometheusText;
}

export interface Route {
  readonly method: "GET" | "POST";
  readonly need: "probe" | "read" | "change";
  readonly answer: (call: Call) => Promise<void> | void;
}

interface Call extends RouteParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The part of the path that names a shard. */
  readonly shardId: string;
}

/** Also with its stream, where an application reads several. */
const SHARD_ID = "[\\w.:-]{1,300}";

const ROUTES: readonly (readonly [path: RegExp, route: Route])[] = [
  [/^\/livez$/, probe(({ view }) => view.live(), "live")],
  [/^\/readyz$/, probe(({ view }) => view.ready(), "ready")],
  [/^\/$/, read(({ response }) => sendPage(response))],
  [/^\/shards$/, read(async ({ view, response }) => sendJson(response, 200, await view.whole()))],
  [new RegExp(`^/shards/(${SHARD_ID})$`), read(oneShard)],
  [/^\/events$/, read(follow)],
  [/^\/metrics$/, read(sendMetrics)],
  [/^\/drain$/, change(({ actions }) => actions.drain())],
  [/^\/resume$/, change(({ actions }) => actions.resume())],
  [/^\/log-level$/, change(setLogLevel)],
  [new RegExp(`^/shards/(${SHARD_ID})/restart-child$`), change(restartChild)],
];

export const PATHS = "/, /livez, /readyz, /shards, /shards/ID, /events, /metrics";

/** @returns `undefined` for an unknown path. */
export function findRoute(path: string): (Route & Pick<Call, "shardId">) | undefined {
  for (const [pattern, route] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return { ...route, shardId: match[1] ?? "" };
  }
  return undefined;
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = `${JSON.stringify(value)}\n`;
  response
    .writeHead(status, {
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
    })
    .end(body);
}

function probe(health: (call: Call) => Health, name: "live" | "ready"): Route {
  const answer = (call: Call) => {
    const { ok, reasons } = health(call);
    const { phase } = call.view;
    const body = { [name]: ok, phase, ...(!ok && { reasons }) };
    sendJson(call.response, ok ? 200 : 503, body);
  };
  return { method: "GET", need: "probe", answer };
}

function read(answer: (call: Call) => Promise<void> | void): Route {
  return { method: "GET", need: "read", answer };
}

/** A change answers 204 unless it has answered otherwise. */
function change(act: (call: Call) => Promise<void> | void): Route {
  const answer = async (call: Call) => {
    await act(call);
    if (!call.response.headersSent) call.response.writeHead(204).end();
  };
  return { method: "POST", need: "change", answer };
}

function sendPage(response: ServerResponse): void {
  const { html, policy } = statusPage();
  response
    .writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-length": Buffer.byteLength(html),
      "content-security-policy": policy,
      "cache-control": "no-store",
    })
    .end(html);
}

function sendMetrics({ prometheusText, response }: Call): void {
  const text = prometheusText();
  response
    .writeHead(200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": Buffer.byteLength(text),
    })
    .end(text);
}

function oneShard({ view, shardId, response }: Call): void {
  const shard = view.shard(shardId);
  if (shard) sendJson(response, 200, shard);
  else sendJson(response, 404, { error: `No lease of ${shardId} is known.` });
}

async function follow({ live, response }: Call): Promise<void> {
  if (!live.isFull) return live.follow(response);
  sendJson(response, 503, { error: "Too many clients follow the events already." });
}

async function setLogLevel({ request, response, actions, logLevels }: Call): Promise<void> {
  const body = await readJson(request);
  const wanted = typeof body === "object" && body && "level" in body ? body.level : undefined;
  const level = logLevels.find((known) => known === wanted);
  if (level) return actions.setLogLevel(level);
  const error = `Send {"level":"LEVEL"}, where LEVEL is one of ${logLevels.join(", ")}.`;
  sendJson(response, 400, { error });
}

function restartChild({ actions, shardId, response }: Call): void {
  if (actions.restartChild(shardId)) return;
  const error = `This worker runs no child for ${shardId}. See /shards for the shards that it holds.`;
  sendJson(response, 404, { error });
}
