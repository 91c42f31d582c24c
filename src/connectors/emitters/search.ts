// Writes documents to Elasticsearch 7 and later and to OpenSearch, by `_bulk` over HTTP.
//
// The official clients are not used: that of Elasticsearch refuses OpenSearch and needs Node 22,
// and one call is all that a connector makes.

import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { systemClock } from "../../clock.ts";
import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { UserError } from "../../model/errors.ts";
import { within } from "../../signals.ts";
import {
  type EmitOutcome,
  type Emitter,
  type Item,
  messageOf,
  type SourceRecord,
  TargetProblem,
} from "../pipeline.ts";
import { type PlaceName, placeName } from "../placeName.ts";
import { pathOf, valueAt } from "../transformers/fields.ts";
import { type BulkAnswer, outcomeOf } from "./bulk.ts";

interface Document extends Item {
  readonly place: string;
  /** The action and the document, two lines. */
  readonly lines: string;
}

const REQUEST_LIMIT_MS = 60_000;
const SHOWN_CHARACTERS = 300;
const TOO_LARGE = 413;
/** The port of the library's transport protocol, which is not HTTP. */
const TRANSPORT_PORT = 9_300;
const HTTP_PORT = 9_200;

/** @throws UserError when the settings contradict each other. */
export function openSearch(values: ConnectorValues): Emitter<Document> {
  const url = urlOf(values);
  const call = caller(url, values);
  const toLines = documentLines(values);
  const { documentId, documentAction, documentVersion } = values;
  const isVersioned = documentVersion !== undefined;
  const isIdempotent = documentId !== "none" && (documentAction === "create" || isVersioned);

  const emit = async (
    items: readonly Document[],
    signal: AbortSignal,
  ): Promise<EmitOutcome<Document>> => {
    const body = items.map(({ lines }) => lines).join("");
    const { status, text } = await call("POST", "/_bulk", body, signal);
    if (status === TOO_LARGE) return emitHalves(items, emit, signal, text);
    if (status >= 200 && status < 300) {
      const { setup, ...outcome } = outcomeOf(items, JSON.parse(text) as BulkAnswer, isIdempotent);
      if (setup !== undefined && outcome.again.length === items.length) {
        throw new TargetProblem("configuration", setup);
      }
      return outcome;
    }
    throw problemOf(status, text);
  };

  return {
    target: url,
    async check() {
      const { status, text } = await call(
        "GET",
        "/",
        undefined,
        new AbortController().signal,
      ).catch(() => ({ status: 0, text: "" }));
      if (status === 0 || status === 200) return;
      const { kind, message } = problemOf(status, text);
      if (kind === "configuration") throw new UserError(`${url} cannot be used: ${message}`);
    },
    toItem: (object, record, index) => {
      const { place, lines } = toLines(object, record, index);
      return { record, place, lines, bytes: Buffer.byteLength(lines) };
    },
    placeOf: ({ place }) => `${url}/${place}`,
    textOf: ({ lines }) => lines.split("\n")[1] ?? "",
    emit,
    close: () => Promise.resolve(),
  };
}

async function emitHalves(
  items: readonly Document[],
  emit: Emitter<Document>["emit"],
  signal: AbortSignal,
  text: string,
): Promise<EmitOutcome<Document>> {
  const [item] = items;
  const reason = `413: ${text.slice(0, SHOWN_CHARACTERS)}`;
  if (items.length === 1 && item) return { again: [], refused: [{ item, reason }] };
  const half = Math.ceil(items.length / 2);
  const rest = items.slice(half);
  const first = await emit(items.slice(0, half), signal);
  const second = await emit(rest, signal).catch((error: unknown) => ({
    again: rest.map((each) => ({ item: each, reason: messageOf(error) })),
    refused: [],
  }));
  return {
    again: [...first.again, ...second.again],
    refused: [...first.refused, ...second.refused],
  };
}

function problemOf(status: number, text: string): TargetProblem {
  const kind = status >= 400 && status < 500 && status !== 429 ? "configuration" : "unavailable";
  return new TargetProblem(kind, `${status}: ${text.slice(0, SHOWN_CHARACTERS)}`);
}

/** `localhost`, `host:9200` or a URL; the library has host and port in two keys. */
function urlOf({ elasticsearchEndpoint: text, elasticsearchPort: port }: ConnectorValues): string {
  if (/^https?:\/\//.test(text)) return text.replace(/\/+$/, "");
  const usedPort = port === TRANSPORT_PORT ? HTTP_PORT : port;
  return `http://${/:\d+$/.test(text) ? text : `${text}:${usedPort}`}`;
}

type Call = (
  method: string,
  path: string,
  body: string | undefined,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly text: string }>;

function caller(url: string, values: ConnectorValues): Call {
  const { elasticsearchUsername: user, elasticsearchPassword, elasticsearchApiKey } = values;
  const basic = `Basic ${Buffer.from(`${user}:${elasticsearchPassword ?? ""}`).toString("base64")}`;
  const authorization =
    elasticsearchApiKey !== undefined ? `ApiKey ${elasticsearchApiKey}` : user && basic;
  const isZipped = values.compression === "gzip";
  if (values.compression === "zstd") {
    throw new UserError("Elasticsearch and OpenSearch take compression = gzip or none");
  }
  const headers = {
    "content-type": "application/x-ndjson",
    ...(authorization && { authorization }),
    ...(isZipped && { "content-encoding": "gzip" }),
  };
  return async (method, path, body, signal) => {
    try {
      const request = {
        method,
        headers: body === undefined ? { ...headers, "content-encoding": "identity" } : headers,
        ...(body !== undefined && { body: isZipped ? await promisify(gzip)(body) : body }),
      };
      return await within(REQUEST_LIMIT_MS, systemClock, signal, async (limited) => {
        const response = await fetch(`${url}${path}`, { ...request, signal: limited });
        return { status: response.status, text: await response.text() };
      });
    } catch (error) {
      const cause = error instanceof Error && error.cause ? error.cause : error;
      throw new TargetProblem("unavailable", messageOf(cause), { cause: error });
    }
  };
}

function documentLines(values: ConnectorValues) {
  const { documentAction, documentVersion, documentRouting, ingestPipeline } = values;
  const indexOf = placeName(values.elasticsearchDefaultIndexName);
  const idOf = idName(values.documentId);
  const routingOf = documentRouting === undefined ? undefined : placeName(documentRouting);
  const versionPath = documentVersion === undefined ? undefined : pathOf(documentVersion);
  return (object: unknown, record: SourceRecord, index: number) => {
    if (typeof object !== "object" || object === null || Array.isArray(object)) {
      throw new Error("a document must be a JSON object");
    }
    const name = indexOf(object, record);
    const id = idOf?.(object, record);
    const suffix = index > 0 ? `:${index}` : "";
    const version = versionPath && valueAt(object, record, versionPath);
    const action = {
      _index: name,
      ...(id !== undefined && { _id: `${id}${suffix}` }),
      ...(version !== undefined && { version, version_type: "external" }),
      ...(routingOf && { routing: routingOf(object, record) }),
      ...(ingestPipeline !== undefined && { pipeline: ingestPipeline }),
    };
    const lines = `${JSON.stringify({ [documentAction]: action })}\n${JSON.stringify(object)}\n`;
    return { place: `${name}/${id === undefined ? "(generated)" : `${id}${suffix}`}`, lines };
  };
}

/** `none`: the target makes ids, so that a repeated record is stored twice. */
function idName(template: string): PlaceName | undefined {
  return template === "none" ? undefined : placeName(template);
}
