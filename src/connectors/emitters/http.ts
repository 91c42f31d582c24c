// Sends each batch as one POST request. An answer of 2xx means that the receiver has everything.

import { systemClock } from "../../clock.ts";
import type { ConnectorValues } from "../../config/connector/connectorKeys.ts";
import { UserError } from "../../model/errors.ts";
import { within } from "../../signals.ts";
import { chooseFormat } from "../formats.ts";
import {
  ALL_STORED,
  type EmitOutcome,
  type Emitter,
  messageOf,
  TargetProblem,
} from "../pipeline.ts";
import { contentText, joined, type TextItem, textItem } from "./file.ts";

const REQUEST_LIMIT_MS = 60_000;
const SHOWN_CHARACTERS = 200;
/** The receiver refuses what is in the request, not the request. */
const REFUSED = new Set([400, 413, 415, 422]);
/** An operator has to mend these. */
const SETUP = new Set([401, 403, 404, 405]);
const CONTENT_TYPES = {
  ndjson: "application/x-ndjson",
  csv: "text/csv",
  raw: "application/octet-stream",
  "length-prefixed": "application/octet-stream",
} satisfies Record<ConnectorValues["format"], string>;

/** @throws UserError when `url` is missing. */
export function openHttp(values: ConnectorValues): Emitter<TextItem> {
  const { url, httpAuthorization, format } = values;
  if (url === undefined) throw new UserError("connectorDestination = http needs url");
  const headers = {
    "content-type": CONTENT_TYPES[format],
    ...(httpAuthorization !== undefined && { authorization: httpAuthorization }),
  };
  const emit = async (
    items: readonly TextItem[],
    signal: AbortSignal,
  ): Promise<EmitOutcome<TextItem>> => {
    const { status, text, retryAfterMs } = await post(url, headers, items, signal);
    if (status >= 200 && status < 300) return ALL_STORED;
    const reason = `${status}: ${text.slice(0, SHOWN_CHARACTERS)}`;
    if (SETUP.has(status)) throw new TargetProblem("configuration", reason);
    if (!REFUSED.has(status)) throw new TargetProblem("unavailable", reason, { retryAfterMs });
    const [item] = items;
    if (items.length === 1 && item) return { again: [], refused: [{ item, reason }] };
    // One of them is refused, or they are too much together.
    const half = Math.ceil(items.length / 2);
    const rest = items.slice(half);
    const first = await emit(items.slice(0, half), signal);
    const second = await emit(rest, signal).catch((error: unknown) => ({
      again: rest.map((item) => ({ item, reason: messageOf(error) })),
      refused: [],
    }));
    return {
      again: [...first.again, ...second.again],
      refused: [...first.refused, ...second.refused],
    };
  };
  return {
    target: url,
    check: () => Promise.resolve(),
    toItem: textItem(chooseFormat(values)),
    placeOf: () => url,
    textOf: contentText,
    emit,
    close: () => Promise.resolve(),
  };
}

async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  items: readonly TextItem[],
  signal: AbortSignal,
) {
  try {
    const request = {
      method: "POST",
      headers: { ...headers, "idempotency-key": keyOf(items) },
      body: joined(items),
    };
    return await within(REQUEST_LIMIT_MS, systemClock, signal, async (limited) => {
      const response = await fetch(url, { ...request, signal: limited });
      const seconds = Number(response.headers.get("retry-after"));
      return {
        status: response.status,
        text: await response.text(),
        retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0,
      };
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new TargetProblem("unavailable", messageOf(cause), { cause: error });
  }
}

/** Equal for a request with the same records, however often it is sent. */
function keyOf(items: readonly TextItem[]): string {
  const place = (item: TextItem | undefined) =>
    item ? `${item.record.sequenceNumber}.${item.record.subSequenceNumber}` : "";
  return `${items[0]?.record.shardId}:${place(items[0])}-${place(items.at(-1))}:${items.length}`;
}
