// Converts ApproximateArrivalTimestamp to milliseconds, from every form that services and emulators
// send.

/** The largest time that a Date represents. */
const MAX_MS = 8.64e15;
/** Below this, `digitsToMs` and `numberToMs` give the same integer. */
const EXACT_MS = 2 ** 47;
const POWERS_OF_TEN = Float64Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/**
 * Converts a JSON number of seconds since 1970 (`1.795446660327E9`, `1795446660.327`).
 *
 * @returns `undefined` when the bytes are not a JSON number, or not a valid time.
 */
export function secondsToMs(bytes: Buffer, start: number, end: number): number | undefined {
  return digitsToMs(bytes, start, end) ?? numberToMs(bytes.toString("latin1", start, end));
}

/** Converts the content of a JSON string: seconds as above, or an ISO 8601 time. */
export function textToMs(text: string): number | undefined {
  return numberToMs(text) ?? timeOf(Date.parse(text));
}

function numberToMs(text: string): number | undefined {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return undefined;
  return timeOf(Math.round(Number(text) * 1000));
}

function timeOf(ms: number): number | undefined {
  return Math.abs(ms) <= MAX_MS ? ms : undefined;
}

/** The fast path, without making a string. `undefined` for every form that it does not know. */
function digitsToMs(bytes: Buffer, start: number, end: number): number | undefined {
  const first = bytes[start] ?? 0;
  if (first < 0x31 || first > 0x39 || end - start > 24) return undefined;
  let mantissa = 0;
  let digits = 0;
  let point = -1;
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + (byte - 0x30);
      digits += 1;
    } else if (byte === 0x2e && point < 0) point = digits;
    else break;
  }
  if (digits > 15 || point === digits) return undefined;
  let shift = 3 - (point < 0 ? 0 : digits - point);
  if (at < end) {
    // Only E and one digit: present times have E9.
    const exponent = (bytes[at + 1] ?? 0) - 0x30;
    if (((bytes[at] ?? 0) | 0x20) !== 0x65 || at + 2 !== end || exponent < 0 || exponent > 9) {
      return undefined;
    }
    shift += exponent;
  }
  if (shift < 0 || shift > 15) return undefined;
  const ms = mantissa * (POWERS_OF_TEN[shift] ?? 0);
  return ms < EXACT_MS ? ms : undefined;
}
