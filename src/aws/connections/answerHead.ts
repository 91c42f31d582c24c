// The head of an HTTP/1.1 answer: the lines before its body, and what they say of where the body ends.

import { BrokenAnswer } from "./errors.ts";

export interface AnswerHead {
  readonly statusCode: number;
  /** By name in lower case; those of one name joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly framing: Framing;
  /** Whether the service keeps the connection open for another call. */
  readonly keepAlive: boolean;
}

/** How the end of a body is found. */
export type Framing =
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" }
  | { readonly type: "untilClose" };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
/** RFC 9110, 5.6.2: a token, then a colon, then anything that is no control character. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is not allowed.
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*$/;

/**
 * @param text the lines, without the empty one that ends them.
 * @throws BrokenAnswer for what is no head of HTTP/1.0 or 1.1, or leaves open where the body ends.
 */
export function parseHead(text: string): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = STATUS_LINE.exec(first);
  if (!status) throw new BrokenAnswer(`begins with ${shown(first)}, which is no HTTP/1.1`);
  const headers: Record<string, string> = Object.create(null);
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new BrokenAnswer(`has the header line ${shown(line)}`);
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

/** RFC 9112, 6.3. */
function framingOf(statusCode: number, headers: Readonly<Record<string, string>>): Framing {
  if (statusCode < 200 || statusCode === 204 || statusCode === 304) {
    return { type: "length", bytes: 0 };
  }
  const encoding = headers["transfer-encoding"];
  if (encoding !== undefined) {
    if (encoding.toLowerCase() === "chunked") return { type: "chunked" };
    throw new BrokenAnswer(`is encoded as ${shown(encoding)}; only "chunked" is known`);
  }
  const length = headers["content-length"];
  if (length === undefined) return { type: "untilClose" };
  // The same length said twice is one length.
  const [bytes = "", ...others] = new Set(length.split(/[ \t]*,[ \t]*/));
  if (others.length > 0 || !/^\d{1,15}$/.test(bytes)) {
    throw new BrokenAnswer(`has the content-length ${shown(length)}`);
  }
  return { type: "length", bytes: Number(bytes) };
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
