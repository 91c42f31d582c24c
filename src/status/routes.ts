// The endpoints: path and method to an answer. What a request may ask for is checked strictly; an
// answer is text or JSON and never depends on what other requests do.

import type { IncomingMessage, ServerResponse } from "node:http";
import { LOG_LEVELS, type LogLevel } from "../listeners/log.ts";
import { type Component, LOG_COMPONENTS } from "../listeners/logLines.ts";
import type { Health } from "../listeners/state/health.ts";
import type { LiveStream } from "./liveStream.ts";
import { mergedMetrics } from "./mergedMetrics.ts";
import { statusPage } from "./page.ts";
import { readJson } from "./requestBody.ts";
import type { View } from "./view.ts";

/** What an operator may change of one application. */
export interface Actions {
  drain(): void;
  resume(): void;
  /** @returns false when this worker has no child for the shard. */
  restartChild(shardId: string): boolean;
}

/** @returns the metrics in the text format of Prometheus. */
export type PrometheusText = () => string;

export interface ShownApplication {
  readonly name: string;
  readonly view: View;
  readonly live: LiveStream;
  readonly actions: Actions;
  readonly prometheusText: PrometheusText;
}

/** @param component the part of the daemon; all parts when absent. */
export type SetLogLevel = (level: LogLevel, component?: Component) => void;

export interface RouteParts {
  readonly setLogLevel: SetLogLevel;
}

export interface Route {
  readonly method: "GET" | "POST";
  readonly need: "probe" | "read" | "change";
  readonly answer: (call: Call) => Promise<void> | void;
}

interface Call extends RouteParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Those that the request is about: the one that it names, or all. */
  readonly applications: readonly ShownApplication[];
  /** The first of them. */
  readonly application: ShownApplication;
  /** The part of the path that names a shard. */
  readonly shardId: string;
}

/** Also with its stream, where an application reads several. */
const SHARD_ID = "[\\w.:-]{1,300}";

const ROUTES: readonly (readonly [path: RegExp, route: Route])[] = [
  [/^\/livez$/, probe((view) => view.live(), "live")],
  [/^\/readyz$/, probe((view) => view.ready(), "ready")],
  [/^\/$/, read(({ response }) => sendPage(response))],
  [/^\/shards$/, read(allShards)],
  [new RegExp(`^/shards/(${SHARD_ID})$`), read(oneShard)],
  [/^\/events$/, read(follow)],
  [/^\/metrics$/, read(sendMetrics)],
  [/^\/drain$/, change(forEach((actions) => actions.drain()))],
  [/^\/resume$/, change(forEach((actions) => actions.resume()))],
  [/^\/log-level$/, change(changeLogLevel)],
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

/** Good when it is good for each application. */
function probe(health: (view: View) => Health, name: "live" | "ready"): Route {
  const answer = ({ applications, application, response }: Call) => {
    const found = applications.map((each) => ({ each, ...health(each.view) }));
    const bad = found.find(({ ok }) => !ok);
    const { phase } = (bad?.each ?? application).view;
    const named = (each: ShownApplication) => (applications.length > 1 ? `${each.name}: ` : "");
    const reasons = found.flatMap(({ each, ...is }) =>
      is.ok ? [] : is.reasons.map((reason) => named(each) + reason),
    );
    sendJson(response, bad ? 503 : 200, { [name]: !bad, phase, ...(bad && { reasons }) });
  };
  return { method: "GET", need: "probe", answer };
}

function forEach(act: (actions: Actions) => void): (call: Call) => void {
  return ({ applications }) => {
    for (const { actions } of applications) act(actions);
  };
}

/** One application as it is, and several as a list. */
async function allShards({ applications, application, response }: Call): Promise<void> {
  if (applications.length === 1) return sendJson(response, 200, await application.view.whole());
  const views = await Promise.all(applications.map(({ view }) => view.whole()));
  sendJson(response, 200, { applications: views });
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

function sendMetrics({ applications, response }: Call): void {
  const texts = applications.map(({ name, prometheusText }) => ({ name, text: prometheusText() }));
  const text = applications.length === 1 ? (texts[0]?.text ?? "") : mergedMetrics(texts);
  response
    .writeHead(200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "content-length": Buffer.byteLength(text),
    })
    .end(text);
}

function oneShard({ applications, shardId, response }: Call): void {
  const found = applications.flatMap(({ view }) => view.shard(shardId) ?? []);
  const [shard, another] = found;
  if (another) sendJson(response, 409, { error: SEVERAL });
  else if (shard) sendJson(response, 200, shard);
  else sendJson(response, 404, { error: `No lease of ${shardId} is known.` });
}

/** Applications that read the same stream, or whose shards have the same ids. */
const SEVERAL = "Several applications of this daemon know that shard. Name one: ?application=NAME.";

async function follow({ application: { live }, response }: Call): Promise<void> {
  if (!live.isFull) return live.follow(response);
  sendJson(response, 503, { error: "Too many clients follow the events already." });
}

async function changeLogLevel({ request, response, setLogLevel }: Call): Promise<void> {
  const body = await readJson(request);
  const wanted: { readonly level?: unknown; readonly component?: unknown } =
    typeof body === "object" && body ? body : {};
  const level = LOG_LEVELS.find((known) => known === wanted.level);
  const component = LOG_COMPONENTS.find((known) => known === wanted.component);
  const isKnown = component !== undefined || wanted.component === undefined;
  if (level && isKnown) return setLogLevel(level, component);
  const error = `Send {"level":"LEVEL"}, where LEVEL is one of ${LOG_LEVELS.join(", ")}; or {"level":"LEVEL","component":"COMPONENT"}, where COMPONENT is one of ${LOG_COMPONENTS.join(", ")}.`;
  sendJson(response, 400, { error });
}

function restartChild({ applications, shardId, response }: Call): void {
  const known = applications.filter(({ view }) => view.shard(shardId));
  if (known.length > 1) {
    sendJson(response, 409, { error: SEVERAL });
    return;
  }
  if (known[0]?.actions.restartChild(shardId)) return;
  const error = `This worker runs no child for ${shardId}. See /shards for the shards that it holds.`;
  sendJson(response, 404, { error });
}
