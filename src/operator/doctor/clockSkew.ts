// Measures how far this machine's clock is from AWS's: every response has a date header, in whole
// seconds.

import { type Finding, notChecked, ok, warning } from "./finding.ts";

/**
 * AWS rejects signatures that are five minutes off. The SDK corrects that by itself; other programs
 * do not.
 */
const REFUSED_MS = 300_000;
/** A larger difference than whole seconds and slow responses explain. */
const NOTICED_MS = 30_000;

export class ClockSkew {
  /**
   * How far our clock is ahead of AWS's. We keep the smallest value of all responses, because a
   * slow response makes it larger.
   */
  #skewMs: number | undefined;

  /**
   * Runs a call in the innermost middleware of a client, which sees the headers of each response,
   * also of errors.
   */
  async timed<T extends { readonly response: unknown }>(call: () => Promise<T>): Promise<T> {
    const startMs = Date.now();
    const result = await call();
    this.#note(dateOf(result.response), (startMs + Date.now()) / 2);
    return result;
  }

  check(): Finding {
    const skewMs = this.#skewMs;
    if (skewMs === undefined) return notChecked("clock", "no service has responded");
    const seconds = Math.round(Math.abs(skewMs) / 1_000);
    if (Math.abs(skewMs) < NOTICED_MS)
      return ok("clock", "this machine's clock agrees with AWS's, to within 30 s");
    const what = `this machine's clock is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} AWS's`;
    const consequence =
      Math.abs(skewMs) >= REFUSED_MS
        ? ". AWS rejects signatures that are 300 s off. This daemon corrects that by itself; other programs do not"
        : "";
    return warning(
      "clock",
      what + consequence,
      "Set the clock, and keep it right with NTP, chrony or systemd-timesyncd.",
    );
  }

  #note(dateMs: number, localMs: number): void {
    if (Number.isNaN(dateMs)) return;
    // The header is rounded down to the second, so half a second is the best estimate of the rest.
    const skewMs = localMs - (dateMs + 500);
    if (Math.abs(skewMs) < Math.abs(this.#skewMs ?? Number.POSITIVE_INFINITY))
      this.#skewMs = skewMs;
  }
}

function dateOf(response: unknown): number {
  if (typeof response !== "object" || response === null || !("headers" in response))
    return Number.NaN;
  const { headers } = response;
  if (typeof headers !== "object" || headers === null || !("date" in headers)) return Number.NaN;
  return typeof headers.date === "string" ? Date.parse(headers.date) : Number.NaN;
}
