// Parses the head of an HTTP/1.1 response: status, headers, and how the end of the body is found.

import { InvalidHttpResponse } from "./errors.ts";

export interface ResponseHead {
  readonly statusCode: number;
  /** Names are in lower case. Values of the same name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly framing: Framing;
  /** The service keeps the connection open for another call. */
  readonly keepAlive: boolean;
}

/** How the end of a body is found. */
export type Framing =
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" }
  | { readonly type: "untilClose" };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
/** RFC 9110, 5.6.2: a token, a colon, and a value without control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern excludes them.
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*$/;

/**
 * @param text the lines, without the empty line that ends them.
 * @throws InvalidHttpResponse when it is not a head of HTTP/1.0 or 1.1, or the body's end is
 *   undefined.
 */
export function parseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = STATUS_LINE.exec(first);
  if (!status) throw new InvalidHttpResponse(`begins with ${shown(first)}, which is not HTTP/1.1`);
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new InvalidHttpResponse(`has the malformed header line ${shown(line)}`);
    }
    const key = name.toLowerCase();
    const before = headers[key];
    headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  const statusCode = Number(status[2]);
  const words = (headers["connection"] ?? "").toLowerCase().split(/[ \t]*,[ \t]*/);
  return {
    statusCode,
    headers,
    framing: framingOf(statusCode, headers),
    keepAlive: status[1] === "1" ? !words.includes("close") : words.includes("keep-alive"),
  };
}

/** RFC 9112, 6.3: message body length. */
function framingOf(statusCode: number, headers: Readonly<Record<string, string>>): Framing {
  if (statusCode < 200 || statusCode === 204 || statusCode === 304) {
    return { type: "length", bytes: 0 };
  }
  const encoding = headers["transfer-encoding"];
  if (encoding !== undefined) {
    if (encoding.toLowerCase() === "chunked") return { type: "chunked" };
    throw new InvalidHttpResponse(
      `has the transfer-encoding ${shown(encoding)}; only "chunked" is supported`,
    );
  }
  const length = headers["content-length"];
  if (length === undefined) return { type: "untilClose" };
  // A repeated header with the same length is valid.
  const [bytes = "", ...others] = new Set(length.split(/[ \t]*,[ \t]*/));
  if (others.length > 0 || !/^\d{1,15}$/.test(bytes)) {
    throw new InvalidHttpResponse(`has the invalid content-length ${shown(length)}`);
  }
  return { type: "length", bytes: Number(bytes) };
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
