// What the text of a value may be: one zod schema for each kind of value. The description of a
// schema is the phrase that says what is allowed; the schema's only error quotes it.
//
// Blanks around numbers, booleans, words and names are dropped. (Java drops them around numbers
// only.)

import { z } from "zod";

/** A schema from the text in the file to a typed value. */
function parsed<T>(allowed: string, parse: (text: string) => T | undefined) {
  return z
    .string()
    .transform((text, context): T => {
      const value = parse(text.trim());
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: allowed });
      return z.NEVER;
    })
    .describe(allowed);
}

/** Node's timers count milliseconds in 32 bits: a longer wait would end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Bounds {
  readonly min: number;
  readonly max?: number;
  readonly of?: string;
}

export function wholeNumber({ min, max = 2 ** 31 - 1, of }: Bounds) {
  const noun = of ? `a whole number of ${of}` : "a whole number";
  return parsed(`${noun} from ${min} to ${max}`, (text) => {
    if (!/^[+-]?\d+$/.test(text)) return undefined;
    const value = Number(text);
    return value >= min && value <= max ? value : undefined;
  });
}

/** A whole number, or a word in its place. */
export function wholeNumberOr<const T extends string>(word: T, { min, max = 2 ** 31 - 1 }: Bounds) {
  return parsed(
    `${word}, or a whole number from ${min} to ${max}`,
    (text): number | T | undefined => {
      if (text.toLowerCase() === word.toLowerCase()) return word;
      const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  );
}

export const millis = (min = 0) => wholeNumber({ min, max: MAX_TIMER_MS, of: "milliseconds" });

export const seconds = (min = 0) =>
  wholeNumber({ min, max: Math.floor(MAX_TIMER_MS / 1000), of: "seconds" });

export function decimal({ min, max }: { readonly min: number; readonly max?: number }) {
  const allowed = max === undefined ? `a number from ${min} on` : `a number from ${min} to ${max}`;
  return parsed(allowed, (text) => {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return undefined;
    const value = Number(text);
    return value >= min && value <= (max ?? Number.MAX_VALUE) ? value : undefined;
  });
}

const TRUE = new Set(["true", "yes", "y", "on", "1"]);
const FALSE = new Set(["false", "no", "n", "off", "0"]);

/** The words that Java's converter accepts, in any case. */
export const flag = () =>
  parsed("true, yes, y, on or 1; or false, no, n, off or 0", (text) => {
    const word = text.toLowerCase();
    return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined;
  });

/** One of the given words, in any case. */
export function oneOf<const T extends string>(...words: readonly T[]) {
  return parsed(words.join(", "), (text) =>
    words.find((word) => word.toLowerCase() === text.toLowerCase()),
  );
}

/** Text as it is, trailing blanks included. Blank text counts as not set. */
export const text = () =>
  z
    .string()
    .transform((value) => (value.trim() === "" ? undefined : value))
    .describe("text");

/** Text that must match a pattern, without the blanks around it. Blank text counts as not set. */
export function matching(pattern: RegExp, allowed: string) {
  return z
    .string()
    .transform((value, context): string | undefined => {
      const trimmed = value.trim();
      if (trimmed === "" || pattern.test(trimmed)) return trimmed || undefined;
      context.addIssue({ code: "custom", message: allowed });
      return z.NEVER;
    })
    .describe(allowed);
}

/** Words separated by commas and blanks. */
export const words = () =>
  z
    .string()
    .transform((value): readonly string[] => value.split(/[,\s]+/).filter(Boolean))
    .describe("words, separated by commas or blanks");

/** `k1=v1,k2=v2`. */
export const tags = () =>
  parsed("pairs like name=value, separated by commas", (value) => {
    const pairs = value.split(",").filter((pair) => pair.trim() !== "");
    const result: Record<string, string> = {};
    for (const pair of pairs) {
      const [name, tag, ...more] = pair.split("=").map((part) => part.trim());
      if (!name || tag === undefined || more.length > 0) return undefined;
      result[name] = tag;
    }
    return result;
  });

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;

/** An ISO-8601 duration of days, hours, minutes and seconds, in milliseconds. */
export const duration = () =>
  parsed("an ISO-8601 duration such as PT12H or P2D, not negative", (text) => {
    const match = DURATION.exec(text);
    if (!match || /(P|T)$/i.test(text)) return undefined;
    const [days, hours, minutes, secs] = match.slice(1).map((part) => Number(part ?? 0));
    return ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (secs ?? 0)) * 1000;
  });

/** Seconds since 1970 as in Java, or (our extension) an ISO-8601 time with its zone. */
export const time = () =>
  parsed("seconds since 1970, or a time such as 2026-01-31T12:00:00Z", (text) => {
    if (/^\d{1,12}$/.test(text)) return new Date(Number(text) * 1000);
    if (!/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
    const at = new Date(text);
    return Number.isNaN(at.getTime()) ? undefined : at;
  });

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?(?:\/\S*)?$/i;
const HTTPS_PORT = "443";
const ENDPOINT_FORM = "a URL that begins with https:// or http://";

/**
 * An endpoint. One without a scheme gets http:// when it names a port other than 443, as the
 * endpoints of emulators do, and https:// otherwise.
 */
export const endpoint = () =>
  z
    .string()
    .transform((value, context): string | undefined => {
      const trimmed = value.trim();
      if (trimmed === "") return undefined;
      const [host, port = HTTPS_PORT] = HOST.exec(trimmed) ?? [];
      const scheme = host === undefined ? "" : port === HTTPS_PORT ? "https://" : "http://";
      const url = `${scheme}${trimmed}`;
      if (/^https?:\/\//i.test(url) && URL.canParse(url)) return url;
      context.addIssue({ code: "custom", message: ENDPOINT_FORM });
      return z.NEVER;
    })
    .describe(ENDPOINT_FORM);
